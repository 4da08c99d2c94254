"""Rows that leave the trunk, through the layers of an MLX model."""

from functools import partial

import mlx.core as mx
import numpy as np
from jaxtyping import Int

from interp.backends.brush import at_layer
from interp.backends.kept import KeptTrunk
from interp.backends.mlx_caches import WaveCache, first, placed, together
from interp.backends.mlx_hooks import Hooked
from interp.backends.mlx_places import installed
from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Wave
from interp.backends.walking import Walking


class Walk(Walking):
    """One wave on its way through the layers; rows of prompts of one length are called together."""

    def __init__(
        self, hooked: Hooked, info: ModelInfo, trunk: KeptTrunk, wave: Wave, *, keep: bool
    ) -> None:
        """Nobody is on the way yet."""
        super().__init__(trunk, wave, len(hooked.blocks), keep=keep)
        self._hooked, self._info = hooked, info

    def _through(self, hidden: mx.array) -> mx.array:
        """All rows through this layer; computed here, so that no more than one layer is held."""
        lengths = self._trunk.lengths[self._wave.prompt[self._rows]]
        alike = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
        parts = [self._called(hidden, some, int(lengths[some[0]])) for some in alike]
        order = np.concatenate(alike)
        out = mx.concatenate([out for out, _ in parts])
        out = out[self._engine.indices(np.argsort(order))] if len(alike) > 1 else out
        mx.eval(out)
        if self._keep:
            own = together(cache.own for _, cache in parts if cache.own is not None)
            mx.eval(own)
            self._own[self._layer] = (self._rows[order], *own)
        return out

    def _called(
        self, hidden: mx.array, some: Int[np.ndarray, " n"], length: int
    ) -> tuple[mx.array, WaveCache]:
        """This layer on some of the rows, whose prompts have one length."""
        trunk, layer, width = self._trunk, self._layer, self._wave.width
        prompt = self._engine.indices(self._wave.prompt[self._rows[some]])
        before = first((trunk.keys[layer], trunk.values[layer]), length - width, prompt)
        cache = WaveCache(length - width, before)
        args, kwargs = trunk.given[layer]
        put = partial(placed, cache=cache, asks=width)
        block = self._hooked.blocks[layer]
        inside = at_layer(self._wave.strokes, layer, stream=False)
        taps = self._brush.taps(inside, self._places(some), self._info.heads)
        part = hidden if len(some) == len(hidden) else hidden[self._engine.indices(some)]
        with installed(place for name, tap in taps for place in block.places(name, tap)):
            out = block.layer(part, *map(put, args), **{k: put(v) for k, v in kwargs.items()})
        return (out[0] if isinstance(out, tuple) else out), cache
