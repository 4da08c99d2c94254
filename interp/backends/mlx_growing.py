"""Greedy decoding of rows that share their prompts' keys and values, on MLX."""

from collections.abc import Iterator

import mlx.core as mx
import numpy as np
from jaxtyping import Int

from interp.backends.brush import Brush
from interp.backends.growing import HEAD_ROWS, Growing
from interp.backends.kept import KeptTrunk
from interp.backends.mlx_caches import GrowthCache, Pair
from interp.backends.mlx_hooks import Hooked
from interp.backends.mlx_places import Place, installed
from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Grove
from interp.errors import RequestError


class Growth(Growing):
    """Rows that are being decoded, whose prompts have one length."""

    def __init__(
        self,
        hooked: Hooked,
        info: ModelInfo,
        trunk: KeptTrunk,
        grove: Grove,
        rows: Int[np.ndarray, " n"],
        limit: int,
    ) -> None:  # fmt: skip
        """Everybody has read the prompt."""
        super().__init__(Brush(trunk.engine), info, grove, rows, limit)
        self._hooked, self._trunk = hooked, trunk
        self._hidden = self._engine.constant(grove.hidden[rows]).astype(trunk.final.dtype)
        self._caches = [self._planted(layer, rows) for layer in range(len(hooked.blocks))]
        mx.eval([cache.own for cache in self._caches if cache.own is not None])

    def _planted(self, layer: int, rows: Int[np.ndarray, " n"]) -> GrowthCache:
        """What the rows have read at one layer: the prompts', and what they bring along."""
        trunk, prompt = self._trunk, self._grove.prompt[rows]
        own, is_own = self._brought(layer, rows)
        return GrowthCache(
            (trunk.keys[layer], trunk.values[layer]),
            self._engine.indices(prompt),
            int(trunk.lengths[prompt[0]]),
            own,
            mx.array(is_own[:, None, :, None]),
        )

    def _brought(self, layer: int, rows: Int[np.ndarray, " n"]) -> tuple[Pair | None, np.ndarray]:
        """Keys and values from the waves, at the prompts' last positions, and whose they are."""
        place = np.full(len(self._grove.prompt) + 1, -1)  # the last is for those of none
        place[rows] = np.arange(len(rows))
        parts = []
        for waved, named in self._grove.brought:
            if layer in waved:
                those, *pair = waved[layer]
                here = place[named[those]]
                if (here >= 0).any():
                    parts.append((here, pair))
        width = max((pair[0].shape[2] for _, pair in parts), default=0)
        is_own = np.zeros((len(rows), width), dtype=bool)
        if not parts:
            return None, is_own
        own = [
            self._room(kept[layer], len(rows), width)
            for kept in (self._trunk.keys, self._trunk.values)
        ]
        for here, pair in parts:
            chosen = np.flatnonzero(here >= 0)
            to, of = self._engine.indices(here[chosen]), self._engine.indices(chosen)
            start = width - pair[0].shape[2]
            is_own[here[chosen], start:] = True
            for room, given in zip(own, pair, strict=True):
                room[to, :, start:] = given[of]
        return (own[0], own[1]), is_own

    @staticmethod
    def _room(like: mx.array, rows: int, width: int) -> mx.array:
        return mx.zeros((rows, like.shape[1], width, like.shape[3]), like.dtype)

    def _likeliest(self) -> Int[np.ndarray, " row"]:
        """The likeliest next token of every row, with the logits of a few rows at a time."""
        starts = range(0, len(self._hidden), HEAD_ROWS)
        parts = (self._hooked.head(self._hidden[at : at + HEAD_ROWS]) for at in starts)
        return np.concatenate([np.array(part.argmax(axis=-1), np.int64) for part in parts])

    def _leave(self, kept: Int[np.ndarray, " n"]) -> None:
        """Without the rows that have ended."""
        for cache in self._caches:
            cache.leave(self._engine.indices(kept))

    def _feed(self, tokens: Int[np.ndarray, " row"], _step: int) -> None:
        """One token a row through the model; the head is never computed.

        Raises:
            RequestError: there is no place for it, or mlx-lm has no window for it.
        """
        if self._caches[0].offset >= self._info.max_length:
            raise RequestError(
                "decoding goes on beyond the model's length", expected=self._info.max_length
            )
        with installed(self._places()):
            self._hooked.model(self._engine.indices(tokens[:, None]), cache=self._caches)
        mx.eval(self._hidden, [cache.fed for cache in self._caches if cache.fed is not None])

    def _places(self) -> Iterator[Place]:
        """The strokes of all layers, and the final norm's input kept."""
        for layer, name, tap in self._taps():
            if layer == len(self._hooked.blocks):
                yield Place(self._hooked.norm, tap, "input")
            else:
                yield from self._hooked.blocks[layer].places(name, tap)
        yield Place(self._hooked.norm, self._keep, "input")

    def _keep(self, hidden: mx.array) -> mx.array:
        self._hidden = hidden[:, -1]
        return hidden
