"""One course of thought of many variants at once, the question read once for all of them.

A prompt's keys and values are the trunk's; what the rows think after it is their own. Row r is
prompt r // n of variant r % n, so that the rows of a prompt are the queries of one product.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from interp.backends.braids import Braid
from interp.backends.protocol import Fired
from interp.backends.taps import Taps, finite
from interp.backends.thinking import FED
from interp.backends.torch_attention import Shared, attending, segments, shared_attention
from interp.backends.torch_sharing import TorchSharing, memory
from interp.backends.torch_trunk import TorchTrunk, indices


class Strands:
    """The rows of all variants after their questions, pass by pass, each with its own masks."""

    def __init__(self, sharing: TorchSharing, trunk: TorchTrunk, braid: Braid, taps: Taps) -> None:
        """Every question was read."""
        self._hooked, self._info = sharing.hooked, sharing.info
        self._trunk, self._braid, self._taps = trunk, braid, taps
        self._prompt = np.repeat(np.arange(len(trunk.lengths)), braid.n)
        self._layers = {id(block.attention): n for n, block in enumerate(self._hooked.blocks)}
        self._segments = segments(self._prompt)
        self._seen = indices(trunk.lengths[self._prompt], trunk.final.device)
        self._own: Any = DynamicCache()

    @contextmanager
    def listening(self) -> Iterator["Strands"]:
        """The writes in force and the attention shared, until every row has answered."""
        modules = [self._hooked.decoder, *(block.attention for block in self._hooked.blocks)]
        with (
            memory(),
            self._hooked.tapped(self._taps, self._info.heads),
            attending(self._attend, modules, self._info.attn_implementation),
        ):
            yield self

    def begun(self) -> Tensor:
        """The final states where the thoughts begin, which all variants of a prompt share."""
        with self._hooked.alone(), memory():  # before any write is in force
            state: Tensor = self._hooked.norm(self._trunk.final)
            return state.repeat_interleave(self._braid.n, dim=0)[:, None]

    def feed(self, fed: Tensor, step: int) -> Tensor:
        """A thought: the vector that is fed, after edits of it, at the position of its own."""
        masks = [np.asarray(write.thoughts)[:, step : step + 1] for write in self._braid.writes]
        self._taps.move_to(masks, np.ones((len(fed), 1), dtype=bool))
        edited: Tensor = self._taps.at(FED, fed)
        out = self._hooked.decoder(inputs_embeds=edited, **self._placed(1))
        state: Tensor = out.last_hidden_state
        return state

    def logits(self, tokens: Tensor) -> Tensor:
        """The answer phase, in which nothing is written: the logits after these tokens."""
        nowhere = np.zeros(tokens.shape, dtype=bool)
        self._taps.move_to([nowhere] * len(self._braid.writes), ~nowhere)
        out = self._hooked.model(input_ids=tokens, **self._placed(tokens.shape[1]))
        last = out.logits[:, -1].float().cpu()
        finite(last.numpy(), "logits", np.ones(len(last), dtype=bool))
        return torch.as_tensor(last)

    def fired(self, variant: int) -> tuple[Fired, ...]:
        """What each write of one variant did."""
        rows = np.arange(len(self._prompt)) % self._braid.n == variant
        done = self._taps.fired(rows)
        return tuple(done[place] for place in self._braid.place[variant])

    def _placed(self, width: int) -> dict[str, Any]:
        """Where the next tokens of every row stand, and what it has of its own."""
        at = self._seen[:, None] + self._own.get_seq_length()
        positions = at + torch.arange(width, device=at.device)
        return {"position_ids": positions, "past_key_values": self._own, "use_cache": True}

    def _attend(
        self, module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, **settings: Any
    ) -> tuple[Tensor, None]:
        """Attention of every row to its question, and to what it has thought and said itself."""
        layer = self._layers[id(module)]
        keys, values = self._trunk.keys[layer], self._trunk.values[layer]
        shared = Shared(self._segments, self._seen, keys, values)
        return shared_attention(query, key, value, shared, **settings), None
