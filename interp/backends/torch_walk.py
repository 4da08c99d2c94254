"""Rows that leave the trunk, on their way through the model's own layers."""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Wave, Waved
from interp.backends.taps import finite
from interp.backends.torch_attention import Shared, segments, shared_attention
from interp.backends.torch_hooks import Hooked
from interp.backends.torch_strokes import Brush, at_layer
from interp.backends.torch_trunk import TorchTrunk, indices, placed


class _KeysMadeError(Exception):
    """The keys and values of a layer are there, and nothing else of it is wanted."""


class Walk:
    """One wave on its way through the layers: rows join, are written to, and go on."""

    def __init__(
        self, hooked: Hooked, info: ModelInfo, trunk: TorchTrunk, wave: Wave, *, keep: bool
    ) -> None:
        """Nobody is on the way yet."""
        self._hooked, self._info = hooked, info
        self._trunk, self._wave, self._keep = trunk, wave, keep
        self._device = trunk.final.device
        self._brush = Brush(self._device)
        self._rows = np.zeros(0, dtype=np.int64)  # those on the way, in the order of their prompts
        self._layer, self._layer_tokens = 0, 0
        self.own: dict[int, tuple[np.ndarray, Tensor, Tensor]] = {}
        self._shared: Shared
        self._early = not self._last_is_whole()
        self._made: tuple[Tensor, Tensor] | None = None  # the last layer's keys and values
        self._making = False

    def to_the_end(self) -> Waved:
        """Every layer from the first that somebody joins, and the final norm's input."""
        wave = self._wave
        hidden: Tensor | None = None
        layers = len(self._hooked.blocks)
        for layer in range(int(wave.joins.min(initial=layers)), layers + 1):
            self._layer = layer
            hidden = self._entering(hidden)
            if layer < layers and hidden is not None and len(self._rows):
                hidden = self._through(hidden)
        final = self._trunk.final[self._tensor(wave.prompt)].clone()
        if hidden is not None and len(self._rows):
            final[self._tensor(self._rows)] = hidden[:, -1]
        array = np.asarray(final.float().cpu().numpy())
        finite(array, "resid_post", np.ones(len(array), dtype=bool))
        return Waved(
            array, tuple(self._brush.moved), self._layer_tokens, self if self._keep else None
        )

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
            self.own[self._layer] = (self._rows, key, value)
        return shared_attention(query, key, value, self._shared, **settings), None

    def _entering(self, hidden: Tensor | None) -> Tensor | None:
        """The rows that are on the way, with those that join at this layer, and its strokes."""
        joining = np.flatnonzero(self._wave.joins == self._layer)
        strokes = at_layer(self._wave.strokes, self._layer, stream=True)
        if len(joining):
            plain = self._from_trunk(joining)
            hidden = plain if hidden is None else torch.cat([hidden, plain])
            rows = np.concatenate([self._rows, joining])
            order = np.argsort(self._wave.prompt[rows], kind="stable")
            self._rows, hidden = rows[order], hidden[self._tensor(order)]
        if hidden is None or not strokes:
            return hidden
        struck = self._brush.at(strokes, self._places(), None, hidden)
        return self._without_resting(hidden, struck) if len(joining) else struck

    def _from_trunk(self, rows: np.ndarray) -> Tensor:
        """The stream that these rows take over from their prompts: [row, width, d_model]."""
        prompt, width = self._wave.prompt[rows], self._wave.width
        start = self._trunk.lengths[prompt] - width - self._trunk.first[prompt]
        at = start[:, None] + np.arange(width)
        return self._trunk.stream[self._layer][self._tensor(prompt)[:, None], self._tensor(at)]

    def _without_resting(self, before: Tensor, after: Tensor) -> Tensor:
        """Without the rows whose only write changed nothing: they are their prompt as it is."""
        may = self._wave.rests[self._rows] & (self._wave.joins[self._rows] == self._layer)
        if not may.any():
            return after
        same = (before == after).flatten(1).all(dim=1).cpu().numpy()
        goes = ~(same & may)
        self._rows = self._rows[goes]
        return after if goes.all() else after[self._tensor(np.flatnonzero(goes))]

    def _through(self, hidden: Tensor) -> Tensor:
        prompt = self._wave.prompt[self._rows]
        start = self._trunk.lengths[prompt] - self._wave.width
        self._shared = Shared(
            segments(prompt),
            self._tensor(start),
            self._trunk.keys[self._layer],
            self._trunk.values[self._layer],
        )
        at = self._tensor(start[:, None] + np.arange(self._wave.width))
        self._layer_tokens += len(self._rows) * self._wave.width
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
        with self._brush.inside(block, inside, self._places(), self._info.heads):
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

    def _places(self) -> np.ndarray:
        places = np.full(len(self._wave.prompt), -1)
        places[self._rows] = np.arange(len(self._rows))
        return places

    def _tensor(self, numbers: np.ndarray) -> Tensor:
        return indices(numbers, self._device)
