"""The same computation another harmless way: rows in another order, or a few at a time.

What comes back is what the model gives anyway, up to rounding; how far a measured value moves is
how far it can be trusted. Nothing here knows an engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float

from interp.backends.batching import for_rows
from interp.backends.protocol import (
    Backend,
    Decoded,
    Forward,
    LogitsAt,
    ModelInfo,
    Reference,
    Tokenizes,
    Write,
)
from interp.backends.taps import merged
from interp.errors import RequestError
from interp.sites import Site, SiteName

Part = tuple[Sequence[int], np.ndarray]  # the numbers of some rows, and what belongs to them


@dataclass(frozen=True)
class Varied:
    """A backend that hands its rows to another one backwards, or at most so many at a time."""

    backend: Backend
    backwards: bool = False
    at_a_time: int | None = None

    @classmethod
    def load(
        cls, folder: Path, *, dtype: str, device: str | None, attn_implementation: str | None
    ) -> Self:
        """Refuse: there is nothing to load but the backend that is to be varied.

        Raises:
            RequestError: always.
        """
        asked = f"dtype={dtype}, device={device}, attention={attn_implementation}"
        raise RequestError(
            "only a model that is loaded can be varied", received=asked, where=str(folder)
        )

    @property
    def info(self) -> ModelInfo:
        """Who this model is."""
        return self.backend.info

    @property
    def tokenizer(self) -> Tokenizes:
        """This model's tokenizer."""
        return self.backend.tokenizer

    @property
    def reference(self) -> Reference:
        """The model as its engine runs it by itself, which is not varied."""
        return self.backend.reference

    def refuse(self, sites: Mapping[SiteName, str]) -> None:
        """Remember why these sites must not be used on this model."""
        self.backend.refuse(sites)

    def forward(
        self,
        ids: Sequence[Sequence[int]],
        writes: Sequence[Write] = (),
        *,
        capture: Sequence[Site] = (),
        logits: LogitsAt = "last",
    ) -> Forward:
        """Several passes over parts of the batch, put together as one."""
        parts = []
        for rows in self._parts(len(ids)):
            batch, own = _part(ids, writes, rows)
            parts.append((rows, self.backend.forward(batch, own, capture=capture, logits=logits)))
        lengths = [len(row) for row in ids]
        made = [(rows, part.logits) for rows, part in parts]
        return Forward(
            _padded(made, lengths) if logits == "all" else _in_order(made),
            {
                site: _padded([(rows, part.captured[site]) for rows, part in parts], lengths)
                for site in dict.fromkeys(capture)
            },
            tuple(map(merged, zip(*(part.fired for _, part in parts), strict=True))),
        )

    def generate(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write] = (), *, max_new_tokens: int
    ) -> Decoded:
        """Greedy decoding of parts of the batch; a row waits only for the others of its part."""
        parts, new, passes = [], dict[int, tuple[int, ...]](), dict[int, int]()
        for rows in self._parts(len(ids)):
            batch, own = _part(ids, writes, rows)
            part = self.backend.generate(batch, own, max_new_tokens=max_new_tokens)
            new.update(zip(rows, part.new_ids, strict=True))
            passes.update(zip(rows, part.passes, strict=True))
            parts.append(part.fired)
        everyone = range(len(ids))
        return Decoded(
            tuple(new[row] for row in everyone),
            tuple(passes[row] for row in everyone),
            tuple(map(merged, zip(*parts, strict=True))),
        )

    def unembed(self, hidden: Float[np.ndarray, "n d_model"]) -> Float[np.ndarray, "n d_vocab"]:
        """The logits of residual-stream vectors, part by part."""
        parts = self._parts(len(hidden))
        return _in_order([(rows, self.backend.unembed(hidden[list(rows)])) for rows in parts])

    def head_weights(self, layer: int) -> Float[np.ndarray, "head d_head d_model"]:
        """The output projection of attention, one matrix a head."""
        return self.backend.head_weights(layer)

    def close(self) -> None:
        """Drop the weights."""
        self.backend.close()

    def _parts(self, n: int) -> list[Sequence[int]]:
        """The numbers of the rows as they are handed over; one empty part if there are none."""
        order = range(n)[::-1] if self.backwards else range(n)
        size = self.at_a_time or max(n, 1)
        return [order[start : start + size] for start in range(0, max(n, 1), size)]


def _part(
    ids: Sequence[Sequence[int]], writes: Sequence[Write], rows: Sequence[int]
) -> tuple[list[Sequence[int]], list[Write]]:
    """Some rows, and what of each write concerns them."""
    batch = [ids[row] for row in rows]
    longest = max(map(len, batch), default=0)
    return batch, [for_rows(write, rows, longest) for write in writes]


def _in_order(parts: Sequence[Part]) -> Float[np.ndarray, "batch ..."]:
    """One value a row, each in its own row's place."""
    shuffled = np.concatenate([values for _, values in parts])
    return np.asarray(shuffled[np.argsort([row for rows, _ in parts for row in rows])])


def _padded(parts: Sequence[Part], lengths: Sequence[int]) -> Float[np.ndarray, "batch pos ..."]:
    """One value a token, NaN after the last one of a row.

    The last axis of a pattern, its keys, is as long as the part's longest row: what is missing are
    keys after the query, on which there is no attention.
    """
    longest = max(lengths)
    n_last = max(values.shape[-1] for _, values in parts)
    shape = (len(lengths), longest, *parts[0][1].shape[2:-1], n_last)
    whole = np.full(shape, np.nan, dtype=np.float32)
    for rows, values in parts:
        for row, value in zip(rows, values, strict=True):
            whole[row, : lengths[row]] = 0.0
            whole[row, : lengths[row], ..., : value.shape[-1]] = value[: lengths[row]]
    return whole
