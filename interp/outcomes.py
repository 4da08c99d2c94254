"""What a patched answer is: the clean one, the corrupted one, another number, none, or either."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool

Outcome = Literal["clean", "corrupted", "other", "gibberish", "ambiguous"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
NUMBER = re.compile(r"-?\d+\.?\d*")


def last_number(text: str) -> re.Match[str] | None:
    """Where a text's last number stands; None if there is none."""
    return next(iter(list(NUMBER.finditer(text))[-1:]), None)


def number_in(text: str) -> float | None:
    """The last number in a text, commas aside; None if there is none.

    Source:  the answer extraction of Shen et al. 2025, "CODI", arXiv:2502.21074v3.
    """
    found = last_number(text.replace(",", ""))
    return float(found.group()) if found else None


@dataclass(frozen=True, eq=False, repr=False)
class Outcomes:
    """The outcome of each row."""

    kinds: tuple[Outcome, ...]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        counts = ", ".join(f"{kind} {self.kinds.count(kind)}" for kind in OUTCOMES)
        return f"<{len(self.kinds)} outcomes: {counts}>"

    def are(self, kind: Outcome) -> Bool[np.ndarray, " batch"]:
        """Which rows have this outcome."""
        return np.array([one == kind for one in self.kinds], dtype=bool)


def outcomes(texts: Sequence[str], clean: Sequence[str], corrupted: Sequence[str]) -> Outcomes:
    """What each text answers, between a clean and a corrupted right answer.

    A row whose two right answers are the same number cannot tell them apart: it is ambiguous when
    it gives that number. A text without any number is gibberish.
    """
    rows = zip(texts, clean, corrupted, strict=True)
    return Outcomes(tuple(_outcome(*map(number_in, row)) for row in rows))


def _outcome(said: float | None, clean: float | None, corrupted: float | None) -> Outcome:
    if said is None:
        return "gibberish"
    if clean == corrupted == said:
        return "ambiguous"
    if said == clean:
        return "clean"
    return "corrupted" if said == corrupted else "other"
