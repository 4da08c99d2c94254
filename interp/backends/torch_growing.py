"""Greedy decoding of rows that share their prompts' keys and values; who has ended, leaves."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interp.backends.batching import until
from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Grove, Grown, Stroke
from interp.backends.torch_attention import Shared, segments, shared_attention
from interp.backends.torch_hooks import Hooked
from interp.backends.torch_layout import on_input
from interp.backends.torch_strokes import Brush, at_layer
from interp.backends.torch_trunk import Own, TorchTrunk, indices

HEAD_BYTES = 3 * 2**23  # of logits that are held at once


class Growth:
    """Rows that are being decoded: what each of them has of its own at every layer.

    Own keys lie at the end of a common axis, so that rows which left their prompt at different
    places, or not at all, end alike: the first ones of a row may be absent.
    """

    def __init__(
        self, hooked: Hooked, info: ModelInfo, trunk: TorchTrunk, grove: Grove, limit: int
    ) -> None:
        """Everybody has read the prompt."""
        self._hooked, self._info, self._trunk = hooked, info, trunk
        self._strokes, self._limit = grove.strokes, limit
        self._device = trunk.final.device
        self._alive = np.arange(len(grove.prompt))
        self._segments = segments(grove.prompt)
        self._prompt = grove.prompt
        self._brush = Brush(self._device)
        self._hidden = torch.from_numpy(grove.hidden).to(self._device, hooked.model.dtype)
        self._layers = {id(block.attention): n for n, block in enumerate(hooked.blocks)}
        self._own = [self._planted(layer, grove) for layer in range(len(hooked.blocks))]
        self._step, self._layer_tokens = 0, 0

    def to_the_end(self) -> Grown:
        """One token after another, until every row has ended or has as many as it may."""
        ends = torch.tensor(sorted(self._info.end_ids), dtype=torch.long)
        chosen = np.zeros((len(self._prompt), self._limit), dtype=np.int64)
        for step in range(self._limit):
            tokens = self._likeliest()
            chosen[self._alive, step] = tokens.numpy()
            going = ~torch.isin(tokens, ends)
            if step + 1 == self._limit or not bool(going.any()):
                break
            self._leave(going.numpy())
            self._feed(tokens[going], step)
        new = [until(row, self._info.end_ids) for row in chosen.tolist()]
        return Grown(tuple(new), tuple(self._brush.moved), self._layer_tokens)

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
            for walk, place in grove.brought
            if (part := walk.own.pop(layer, None)) is not None  # copied now, not needed twice
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
            rows_in = indices(named[here], self._device)
            rows_out = indices(here, self._device)
            keys[rows_in, :, length - width : length] = own_keys[rows_out]
            values[rows_in, :, length - width : length] = own_values[rows_out]
            seen[named[here]] -= width
            absent[named[here]] -= width
        return Own(keys, values, indices(seen, self._device), indices(absent, self._device), length)

    def _likeliest(self) -> Tensor:
        """The likeliest next token of every row, with the logits of a few rows at a time."""
        most = max(HEAD_BYTES // (4 * self._info.d_vocab), 1)
        pieces = self._hidden.tensor_split(-(-len(self._hidden) // most))
        parts = (self._hooked.head(piece) for piece in pieces)
        return torch.cat([logits.float().argmax(dim=-1) for logits in parts]).cpu()

    def _leave(self, going: np.ndarray) -> None:
        """Without the rows that have ended."""
        if going.all():
            return
        kept = indices(np.flatnonzero(going), self._device)
        self._alive = self._alive[going]
        self._own = [own.only(kept) for own in self._own]
        self._segments = segments(self._prompt[self._alive])

    def _feed(self, tokens: Tensor, step: int) -> None:
        """One token a row through the model's own decoder."""
        self._step = step
        at = self._trunk.lengths[self._prompt[self._alive]] + step
        self._layer_tokens += len(tokens) * len(self._hooked.blocks)
        with self._written():
            self._hooked.decoder(
                input_ids=tokens[:, None].to(self._device),
                position_ids=indices(at, self._device)[:, None],
                use_cache=False,
            )

    @contextmanager
    def _written(self) -> Iterator[None]:
        """The strokes of all layers, and the final norm's input kept."""
        place = np.full(len(self._prompt), -1)
        place[self._alive] = np.arange(len(self._alive))
        with ExitStack() as stack:
            for layer, block in enumerate(self._hooked.blocks):
                stream = at_layer(self._strokes, layer, stream=True)
                if stream:
                    tap = partial(self._brush.at, stream, place, None)
                    stack.callback(on_input(block.layer, tap).remove)
                inside = at_layer(self._strokes, layer, stream=False)
                stack.enter_context(self._brush.inside(block, inside, place, self._info.heads))
            last = at_layer(self._strokes, len(self._hooked.blocks), stream=True)
            stack.callback(on_input(self._hooked.norm, partial(self._keep, last, place)).remove)
            yield

    def _keep(self, strokes: Sequence[Stroke], place: np.ndarray, hidden: Tensor) -> Tensor:
        struck = self._brush.at(strokes, place, None, hidden)
        self._hidden = struck[:, -1]
        return struck
