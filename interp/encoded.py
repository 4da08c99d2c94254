"""A prompt set as one model's tokens, with every name resolved row by row."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from interp.errors import RequestError, closest
from interp.positions import Part, Position, position
from interp.prompts import PromptSet

FEWEST: dict[Part, int] = {"first": 1, "middle": 3, "last": 1, "all": 0}


@dataclass(frozen=True, eq=False, repr=False)
class Encoded:
    """The tokens of a batch of prompts, one row each, and where its names lie.

    `spans[i]` maps a span's name to its tokens [start, end) in row i; `answers[i]` holds the first
    token of each alias, which is what a next-token metric can see.
    """

    prompts: PromptSet
    ids: tuple[tuple[int, ...], ...]
    spans: tuple[Mapping[str, tuple[int, int]], ...]
    answers: tuple[tuple[int, ...], ...]
    foils: tuple[tuple[int, ...], ...]
    masks: dict[Position, Bool[np.ndarray, "batch pos"]] = field(default_factory=dict)  # once each

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """How many tokens each row has."""
        return tuple(len(row) for row in self.ids)

    @cached_property
    def words_digest(self) -> str:
        """sha256 of what a run sees of its prompts: texts, answers, foils and spans."""
        seen = [
            (one.text, one.user, one.system, one.answers, one.foils, sorted(one.spans.items()))
            for one in self.prompts.prompts
        ]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()

    @cached_property
    def tokens_digest(self) -> str:
        """sha256 of the token ids, row by row."""
        return hashlib.sha256(repr(self.ids).encode()).hexdigest()

    def mask(self, at: str | Position) -> Bool[np.ndarray, "batch pos"]:
        """Where a position lies, row by row; padding is never part of it.

        Raises:
            RequestError: a row in which the name matches nothing.
        """
        place = position(at)
        if place not in self.masks:
            self.masks[place] = self._mask(place)
            self.masks[place].setflags(write=False)
        return self.masks[place]

    def _mask(self, place: Position) -> Bool[np.ndarray, "batch pos"]:
        mask = np.zeros((len(self.ids), max(self.lengths)), dtype=bool)
        for row in range(len(self.ids)):
            if place.kind == "besides":
                mask[row, self._besides(row, place)] = True
                continue
            start, end = self._range(row, place)
            mask[row, start:end] = True
        return mask

    def indices(self, at: str | Position) -> Int[np.ndarray, " batch"]:
        """The one token of each row that a position names: int [batch].

        Raises:
            RequestError: the position names several tokens of a row.
        """
        mask = self.mask(at)
        if (mask.sum(axis=1) != 1).any():
            raise RequestError(
                "this position names several tokens of a row", asked=f"at={position(at)}"
            )
        return np.asarray(mask.argmax(axis=1))

    def _range(self, row: int, place: Position) -> tuple[int, int]:
        if place.kind == "thought":
            raise RequestError("a row of tokens has no thoughts", asked=f"at={place}", hint="think")
        length = len(self.ids[row])
        whole = {"all": (0, length), "first": (0, 1), "last": (length - 1, length)}
        if place.kind in whole:
            return whole[place.kind]
        if place.name not in self.spans[row]:
            raise RequestError(
                "a position's name matches nothing",
                asked=f"at={place}",
                received=repr(place.name),
                where=self._where(row),
                hint=closest(place.name, [*self.spans[row], "all", "first", "last"]),
            )
        start, end = self.spans[row][place.name]
        low, high = (end, length) if place.kind == "after" else (start, end)
        if high - low < FEWEST[place.part]:
            raise RequestError(
                "too few tokens for such a part",
                asked=f"at={place}",
                expected=f"at least {FEWEST[place.part]}",
                received=high - low,
                where=self._where(row),
                hint="leave such prompts out",
            )
        return _part_of(low, high, place.part)

    def _besides(self, row: int, place: Position) -> Int[np.ndarray, " token"]:
        """The tokens before the last that are not of the span, or as many of them as it has."""
        start, end = self._range(row, Position("span", place.name, "all"))
        earlier = np.arange(len(self.ids[row]) - 1)
        others = earlier[(earlier < start) | (earlier >= end)]
        if place.draw is None:
            return others
        if len(others) < end - start:
            raise RequestError(
                "a row has too few other tokens to draw as many as the span has",
                asked=f"at={place}",
                expected=f"{end - start} before the last that are not of the span",
                received=len(others),
                where=self._where(row),
            )
        rng = np.random.default_rng([place.draw, *self.ids[row]])
        return np.sort(rng.choice(others, end - start, replace=False))

    def _where(self, row: int) -> str:
        """A row, as errors name it."""
        return f"prompt {row + 1} of {len(self.ids)}: {self.prompts.prompts[row].content!r}"


def _part_of(low: int, high: int, part: Part) -> tuple[int, int]:
    """Which of the tokens [low, high) a part names."""
    middle = low + (high - low - 1) // 2
    parts = {"first": (low, low + 1), "last": (high - 1, high), "middle": (middle, middle + 1)}
    return parts.get(part, (low, high))
