"""Prompt sets: texts, right answers and named spans, as data that no model has touched yet.

A set is a JSON Lines file: one header object, then one prompt a line. What a prompt's tokens are
is the tokenizer's business; the result is an `interp.encoded.Encoded` batch.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from jaxtyping import Bool

from interp.errors import DataError, InconclusiveError, RequestError, closest

Label = str | int | float | bool
Row = TypeVar("Row")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of a prompt-set file."""

    set: str
    version: int
    source: str
    licence: str = ""
    about: str = ""


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One prompt: plain text, or what a user (and a system line) says in a chat."""

    text: str = ""
    user: str = ""
    system: str = ""
    answers: tuple[str, ...] = ()
    foils: tuple[str, ...] = ()
    spans: dict[str, str] = {}
    group: str = ""
    split: str = ""
    labels: dict[str, Label] = {}
    first_hop: "Prompt | None" = None
    second_hop: "Prompt | None" = None

    def __post_init__(self) -> None:
        """Refuse what would have to be guessed later.

        Raises:
            ValueError: no text or two, an empty answer, a span that is not there exactly once.
        """
        if bool(self.text) == bool(self.user):
            raise ValueError("a prompt has either `text` or `user`")
        if not all((*self.answers, *self.foils, *self.spans.values())):
            raise ValueError("an answer, foil or span is empty")
        for name, text in self.spans.items():
            if (times := self.content.count(text)) != 1:
                raise ValueError(
                    f"span {name!r} = {text!r} occurs {times} times in {self.content!r}"
                )

    @property
    def content(self) -> str:
        """The text in which spans are named: the plain text, or the user's words."""
        return self.text or self.user

    def span(self, name: str) -> tuple[int, int]:
        """Where a named span lies in `content`: characters [start, end).

        Raises:
            RequestError: no span of that name.
        """
        if name not in self.spans:
            raise RequestError(
                "no such span",
                expected="a span that the prompt set names",
                received=repr(name),
                where=repr(self.content),
                hint=closest(name, self.spans),
            )
        start = self.content.index(self.spans[name])
        return start, start + len(self.spans[name])


@dataclass(frozen=True, repr=False)
class PromptSet:
    """An ordered set of prompts with a name, a version and a source."""

    name: str
    prompts: tuple[Prompt, ...]
    version: int = 1
    source: str = ""

    @classmethod
    def from_file(cls, path: Path | str) -> "PromptSet":
        """Read a prompt set from JSON Lines.

        Raises:
            DataError: not readable, no header, a bad line (named), no prompts.
        """
        try:
            lines = Path(path).read_bytes().splitlines()
        except OSError as error:
            raise DataError(
                "the prompt set cannot be read", received=error, where=str(path)
            ) from None
        if len(lines) < 2:  # noqa: PLR2004  a header and a prompt
            raise DataError(
                "a prompt set has a header and at least one prompt",
                received=f"{len(lines)} lines",
                where=str(path),
            )
        header = _decoded(lines[0], Header, f"{path}:1")
        rows = enumerate(lines[1:], start=2)
        prompts = tuple(_decoded(line, Prompt, f"{path}:{number}") for number, line in rows)
        return cls(header.set, prompts, header.version, header.source)

    def __len__(self) -> int:
        """How many prompts."""
        return len(self.prompts)

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        spans = sorted(set().union(*(prompt.spans for prompt in self.prompts)))
        return f"<{len(self)} prompts of {self.name!r}; spans {spans}>"

    @cached_property
    def digest(self) -> str:
        """sha256 over everything in the prompts, in order."""
        return hashlib.sha256(repr(self.prompts).encode()).hexdigest()

    @property
    def groups(self) -> tuple[str, ...]:
        """Each prompt's group, which statistics must not tear apart."""
        return tuple(prompt.group for prompt in self.prompts)

    @property
    def first_hop(self) -> "PromptSet":
        """The questions for the first hop of each two-hop prompt."""
        return companions(self, "first_hop")

    @property
    def second_hop(self) -> "PromptSet":
        """The questions for the second hop of each two-hop prompt."""
        return companions(self, "second_hop")

    def only(self, *, split: str = "", **labels: Label) -> "PromptSet":
        """The prompts of one split and with these labels.

        Raises:
            RequestError: none is left.
        """
        wanted = labels.items()
        return self._kept(
            [
                (not split or prompt.split == split) and wanted <= prompt.labels.items()
                for prompt in self.prompts
            ],
            asked=f"{self.name}.only(split={split!r}, {dict(labels)})",
        )

    def where(self, mask: Bool[np.ndarray, " batch"], *, at_least: int = 1) -> "PromptSet":
        """The prompts for which `mask` holds.

        Raises:
            RequestError: the mask has another length.
            InconclusiveError: fewer than `at_least` are left; a claim about them has no verdict.
        """
        if len(mask) != len(self):
            raise RequestError(
                "a mask has one entry a prompt",
                asked=f"{self.name}.where(...)",
                expected=len(self),
                received=len(mask),
            )
        if int(np.sum(mask)) < at_least:
            raise InconclusiveError(
                "too few prompts qualify",
                asked=f"{self.name}.where(...)",
                expected=f"at least {at_least}",
                received=f"{int(np.sum(mask))} of {len(self)}",
            )
        return self._kept([bool(kept) for kept in mask], asked=f"{self.name}.where(...)")

    def derange(self, *, seed: int, alike: Sequence[str] = ()) -> "PromptSet":
        """The same prompts in an order in which no row keeps its own group or shares an answer.

        Args:
            seed: of the order.
            alike: labels that a row and its partner must share.

        Raises:
            InconclusiveError: some row has no partner.
        """
        order = np.random.default_rng(seed).permutation(len(self))
        partners = tuple(self._stranger(row, order, alike) for row in range(len(self)))
        return replace(self, prompts=partners)

    def _stranger(self, row: int, order: np.ndarray, alike: Sequence[str]) -> Prompt:
        own = self.prompts[row]
        shared = {(name, own.labels.get(name)) for name in alike}
        for index in np.roll(order, -row).tolist():
            other = self.prompts[int(index)]
            if not shared <= set(other.labels.items()):
                continue
            if other.group != own.group and not set(other.answers) & set(own.answers):
                return other
        raise InconclusiveError(
            "a prompt has no partner of another group with another answer",
            asked=f"{self.name}.derange()",
            received=repr(own.content),
        )

    def _kept(self, keep: Sequence[bool], *, asked: str) -> "PromptSet":
        kept = tuple(prompt for prompt, stays in zip(self.prompts, keep, strict=True) if stays)
        if not kept:
            raise RequestError("no prompt is left", asked=asked, received=f"0 of {len(self)}")
        return replace(self, prompts=kept)


def companions(prompts: PromptSet, name: str) -> PromptSet:
    """The prompt that stands beside each one under a name, such as "first_hop".

    Raises:
        RequestError: a prompt has none.
    """
    found = tuple(getattr(prompt, name, None) for prompt in prompts.prompts)
    whole = tuple(one for one in found if isinstance(one, Prompt))
    if len(whole) < len(prompts):
        raise RequestError("these prompts have no such companions", asked=f"{prompts.name}.{name}")
    return replace(prompts, name=f"{prompts.name}.{name}", prompts=whole)


def as_prompt_set(prompts: PromptSet | Sequence[str]) -> PromptSet:
    """A prompt set as it is, or a list of plain texts as one.

    Raises:
        RequestError: the list is empty or a text is.
    """
    if isinstance(prompts, PromptSet):
        return prompts
    if isinstance(prompts, str) or not prompts or not all(prompts):
        raise RequestError(
            "a run needs a list of texts, each of them with a token",
            expected="a PromptSet or a non-empty list of strings",
            received=repr(prompts)[:80],
        )
    return PromptSet("texts", tuple(Prompt(text=text) for text in prompts))


def _decoded(line: bytes, kind: type[Row], where: str) -> Row:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(
            "a line of the prompt set is not right",
            expected=f"one JSON object, a {kind.__name__.lower()}",
            received=error,
            where=where,
        ) from None
