"""Rows that leave the trunk, through the layers of a transformers model."""

from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from interp.backends.brush import at_layer
from interp.backends.kept import KeptTrunk
from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Wave
from interp.backends.torch_attention import Shared, segments, shared_attention
from interp.backends.torch_hooks import Hooked
from interp.backends.torch_layout import painted
from interp.backends.torch_trunk import placed
from interp.backends.walking import Walking


class Walk(Walking):
    """One wave on its way through the layers: rows join, are written to, and go on."""

    def __init__(
        self, hooked: Hooked, info: ModelInfo, trunk: KeptTrunk, wave: Wave, *, keep: bool
    ) -> None:
        """Nobody is on the way yet."""
        super().__init__(trunk, wave, len(hooked.blocks), keep=keep)
        self._hooked, self._info = hooked, info
        self._shared: Shared

    def attend(
        self, _module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, **settings: Any
    ) -> tuple[Tensor, None]:
        """Attention to the prompt's first tokens, which are shared, and to the row's own."""
        if self._keep:
            self._own[self._layer] = (self._rows, key, value)
        return shared_attention(query, key, value, self._shared, **settings), None

    def _through(self, hidden: Tensor) -> Tensor:
        prompt, indices = self._wave.prompt[self._rows], self._engine.indices
        start = self._trunk.lengths[prompt] - self._wave.width
        self._shared = Shared(
            segments(prompt),
            indices(start),
            self._trunk.keys[self._layer],
            self._trunk.values[self._layer],
        )
        at = indices(start[:, None] + np.arange(self._wave.width))
        args, kwargs = self._trunk.given[self._layer]
        put = partial(placed, at=at, padded=int(self._trunk.lengths.max()))
        block = self._hooked.blocks[self._layer]
        inside = at_layer(self._wave.strokes, self._layer, stream=False)
        with painted(block, self._brush.taps(inside, self._places(), self._info.heads)):
            out = block.layer(hidden, *map(put, args), **{k: put(v) for k, v in kwargs.items()})
        made: Tensor = out[0] if isinstance(out, tuple) else out
        return made
