"""What can go wrong, in the words of the person who asked.

Inner code raises with the short rule that was broken; the public verb adds what was asked and
re-raises `from None`. Anything that would make a number wrong raises; nothing here is a warning.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Complaint:
    """The parts of an error message: one clause each, empty where there is nothing to say."""

    rule: str
    asked: str = ""
    expected: str = ""
    received: str = ""
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """The house form: one headline, then one line for each part that is known."""
        headline = f"{self.asked} failed: {self.rule}." if self.asked else f"{self.rule}."
        parts = (
            ("expected", self.expected),
            ("received", self.received),
            ("where", self.where),
            ("try", self.hint),
        )
        return "\n".join([headline, *(f"  {name + ':':<10}{text}" for name, text in parts if text)])


class InterpError(Exception):
    """Base of every error of this library."""

    def __init__(
        self,
        rule: str,
        *,
        asked: str = "",
        expected: object = "",
        received: object = "",
        where: str = "",
        hint: str = "",
    ) -> None:
        self.complaint = Complaint(rule, asked, str(expected), str(received), where, hint)
        super().__init__(str(self.complaint))

    def during(self, asked: str, *, where: str = "") -> Self:
        """The same error with the request as its author wrote it, and the place if unknown."""
        known = self.complaint
        full = replace(known, asked=known.asked or asked, where=known.where or where)
        told = type(self)(full.rule)
        told.complaint = full
        told.args = (str(full),)
        return told


class RequestError(InterpError):
    """What was asked cannot be applied exactly as written."""


class DataError(InterpError):
    """A file (checkpoint, prompt set, registry, baseline, journal) is not what it must be."""


class NonFiniteError(InterpError):
    """A weight, activation, direction or measured value is NaN or infinite."""


class InconclusiveError(InterpError):
    """Too little evidence for a verdict: too few items, or an interval across the margin."""


def closest(word: str, known: Iterable[str], *, most: int = 3) -> str:
    """The names nearest to `word`, for a `try:` line; the first ones if none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=most, cutoff=0.4)
    return ", ".join(near or names[:most]) or "(there are none)"
