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


class _KeysMadeError(Exception):
    """The keys and values of a layer are there, and nothing else of it is wanted."""


class Walk(Walking):
    """One wave on its way through the layers: rows join, are written to, and go on."""

    def __init__(
        self, hooked: Hooked, info: ModelInfo, trunk: KeptTrunk, wave: Wave, *, keep: bool
    ) -> None:
        """Nobody is on the way yet."""
        super().__init__(trunk, wave, len(hooked.blocks), keep=keep)
        self._hooked, self._info = hooked, info
        self._shared: Shared
        self._early = not self._last_is_whole()
        self._made: tuple[Tensor, Tensor] | None = None  # the last layer's keys and values
        self._making = False

    def attend(
        self, _module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, **settings: Any
    ) -> tuple[Tensor, None]:
        """Attention to the prompt's first tokens, which are shared, and to the row's own."""
        if self._making:
            self._made = key, value
            raise _KeysMadeError
        if self._made is not None:
            key, value = self._made
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
        if not self._early or self._layer + 1 < len(self._hooked.blocks):
            return self._layered(hidden, at)
        self._making = True
        try:
            self._layered(hidden, at)
        except _KeysMadeError:
            self._making = False
        return self._layered(hidden[:, -1:], at[:, -1:])

    def _layered(self, hidden: Tensor, at: Tensor) -> Tensor:
        """The model's own layer on some positions of the rows."""
        args, kwargs = self._trunk.given[self._layer]
        put = partial(placed, at=at, padded=int(self._trunk.lengths.max()))
        block = self._hooked.blocks[self._layer]
        inside = at_layer(self._wave.strokes, self._layer, stream=False)
        with painted(block, self._brush.taps(inside, self._places(), self._info.heads)):
            out = block.layer(hidden, *map(put, args), **{k: put(v) for k, v in kwargs.items()})
        made: Tensor = out[0] if isinstance(out, tuple) else out
        return made

    def _last_is_whole(self) -> bool:
        """Whether the last layer is needed at other positions than the last, keys aside.

        What an edit does there is accounted for at every position, and rows that join after it
        have all of theirs.
        """
        wave, layers = self._wave, len(self._hooked.blocks)
        written = {stroke.site.layer for stroke in wave.strokes if stroke.site.name != "resid_pre"}
        late = bool((wave.joins >= layers).any())
        return (
            wave.width == 1
            or late
            or layers - 1 in written
            or any(stroke.site.layer == layers for stroke in wave.strokes)
        )
