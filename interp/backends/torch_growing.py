"""Greedy decoding of rows that share their prompts' keys and values; who has ended, leaves."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interp.backends.brush import Brush
from interp.backends.growing import Growing
from interp.backends.kept import KeptTrunk
from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Grove
from interp.backends.torch_attention import Shared, segments, shared_attention
from interp.backends.torch_hooks import Hooked
from interp.backends.torch_layout import on_input, painted
from interp.backends.torch_trunk import Own

HEAD_BYTES = 3 * 2**23  # of logits that are held at once


class Growth(Growing):
    """Rows that are being decoded: what each of them has of its own at every layer.

    Own keys lie at the end of a common axis, so that rows which left their prompt at different
    places, or not at all, end alike: the first ones of a row may be absent.
    """

    def __init__(
        self, hooked: Hooked, info: ModelInfo, trunk: KeptTrunk, grove: Grove, limit: int
    ) -> None:
        """Everybody has read the prompt."""
        rows = np.arange(len(grove.prompt))
        super().__init__(Brush(trunk.engine), info, grove, rows, limit)
        self._hooked, self._trunk = hooked, trunk
        self._device = trunk.final.device
        self._segments = segments(grove.prompt)
        self._hidden = torch.from_numpy(grove.hidden).to(self._device, hooked.model.dtype)
        self._layers = {id(block.attention): n for n, block in enumerate(hooked.blocks)}
        self._own = [self._planted(layer, grove) for layer in range(len(hooked.blocks))]

    def attend(
        self, module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, **settings: Any
    ) -> tuple[Tensor, None]:
        """Attention of one new token a row to its prompt, and to what it has of its own."""
        layer = self._layers[id(module)]
        own, stop = self._own[layer], self._own[layer].length + self._step + 1
        own.keys[:, :, stop - 1], own.values[:, :, stop - 1] = key[:, :, 0], value[:, :, 0]
        shared = Shared(
            self._segments,
            own.seen,
            self._trunk.keys[layer],
            self._trunk.values[layer],
            own.absent if own.length else None,
        )
        keys, values = own.keys[:, :, :stop], own.values[:, :, :stop]
        return shared_attention(query, keys, values, shared, **settings), None

    def _planted(self, layer: int, grove: Grove) -> Own:
        """What the rows bring along from their waves at one layer, and room for what is to come."""
        trunk, rows = self._trunk, len(grove.prompt)
        brought = [
            (place[part[0]], *part[1:])
            for waved, place in grove.brought
            if (part := waved.pop(layer, None)) is not None  # copied now, not needed twice
        ]
        length = max((keys.shape[2] for _, keys, _ in brought), default=0)
        like = trunk.keys[layer]
        room = (rows, like.shape[1], length + self._limit - 1)
        keys, values = (
            kept.new_zeros((*room, kept.shape[-1])) for kept in (like, trunk.values[layer])
        )
        seen, absent = trunk.lengths[grove.prompt], np.full(rows, length)
        for named, own_keys, own_values in brought:
            here, width = np.flatnonzero(named >= 0), own_keys.shape[2]
            rows_in = self._engine.indices(named[here])
            rows_out = self._engine.indices(here)
            keys[rows_in, :, length - width : length] = own_keys[rows_out]
            values[rows_in, :, length - width : length] = own_values[rows_out]
            seen[named[here]] -= width
            absent[named[here]] -= width
        return Own(keys, values, self._engine.indices(seen), self._engine.indices(absent), length)

    def _likeliest(self) -> np.ndarray:
        """The likeliest next token of every row, with the logits of a few rows at a time."""
        most = max(HEAD_BYTES // (4 * self._info.d_vocab), 1)
        pieces = self._hidden.tensor_split(-(-len(self._hidden) // most))
        parts = (self._hooked.head(piece) for piece in pieces)
        return np.asarray(torch.cat([logits.float().argmax(dim=-1) for logits in parts]).cpu())

    def _leave(self, kept: np.ndarray) -> None:
        """Without the rows that have ended."""
        rows = self._engine.indices(kept)
        self._own = [own.only(rows) for own in self._own]
        self._segments = segments(self._grove.prompt[self._alive])

    def _feed(self, tokens: np.ndarray, step: int) -> None:
        """One token a row through the model's own decoder."""
        self._step = step
        at = self._trunk.lengths[self._grove.prompt[self._alive]] + step
        with self._painted():
            self._hooked.decoder(
                input_ids=self._engine.indices(tokens[:, None]),
                position_ids=self._engine.indices(at[:, None]),
                use_cache=False,
            )

    @contextmanager
    def _painted(self) -> Iterator[None]:
        """The strokes of all layers, and the final norm's input kept."""
        with ExitStack() as stack:
            for layer, name, tap in self._taps():
                if layer == len(self._hooked.blocks):
                    stack.callback(on_input(self._hooked.norm, tap).remove)
                else:
                    stack.enter_context(painted(self._hooked.blocks[layer], [(name, tap)]))
            stack.callback(on_input(self._hooked.norm, self._keep).remove)
            yield

    def _keep(self, hidden: Tensor) -> Tensor:
        self._hidden = hidden[:, -1]
        return hidden
