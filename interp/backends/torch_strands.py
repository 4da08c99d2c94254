"""One course of thought of many variants at once, the question read once for all of them.

A prompt's keys and values are the trunk's; what the rows think after it is their own. Row r is
prompt r // n of variant r % n, so that the rows of a prompt are the queries of one product.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from interp.backends.batching import for_rows
from interp.backends.braids import Braid, braided
from interp.backends.kept import KeptTrunk
from interp.backends.protocol import Fired, Write
from interp.backends.sharing import TrunkPlan
from interp.backends.taps import Engine, Taps, finite
from interp.backends.thinking import FED, ThinkRequest, Thought, joined, refuse_no_thought
from interp.backends.torch_answers import refuse_too_long, spoken
from interp.backends.torch_attention import Shared, attending, segments, shared_attention
from interp.backends.torch_sharing import TorchSharing, memory

LOGITS = 2**29  # bytes of logits that are held at once


@dataclass(frozen=True, eq=False)
class Company:
    """A model whose variants think together."""

    sharing: TorchSharing
    projection: nn.Module
    engine: Engine

    def each(
        self,
        ids: Sequence[Sequence[int]],
        variants: Sequence[Sequence[Write]],
        request: ThinkRequest,
    ) -> Iterator[Thought]:
        """One Thought a variant, in order: as many at once as saturate the device."""
        info = self.sharing.info
        for site in (write.site for writes in variants for write in writes):
            refuse_no_thought(info, site)
        batch = [(*row, self._about.begin) for row in ids]
        refuse_too_long(info, max(map(len, batch)), request)
        (parts, at_once), trunk = self._parts(batch), None
        for start in range(0, len(variants), at_once):
            some, done = variants[start : start + at_once], []
            for rows in parts:
                trunk = trunk if trunk and len(parts) == 1 else self._trunk(batch, rows)
                own = [[for_rows(write, rows, 0) for write in writes] for writes in some]
                done.append(self._together(trunk, own, request))
            yield from (joined(pieces, parts) for pieces in zip(*done, strict=True))

    @property
    def _about(self) -> Any:
        return self.sharing.info.thoughts

    def _parts(self, batch: Sequence[Sequence[int]]) -> tuple[list[range], int]:
        """The rows whose keys and values fit into memory at once, and how many variants of them."""
        a_row = self.sharing.bytes_a_row(max(map(len, batch)))
        held = LOGITS // (4 * self.sharing.info.d_vocab)
        rows = max(1, min(self.sharing.tokens_at_once, held))
        size = max(1, min(self.sharing.memory // a_row, rows))
        everyone = range(len(batch))
        parts = [everyone[start : start + size] for start in everyone[::size]]
        return parts, max(1, rows // len(parts[0]))

    def _trunk(self, batch: Sequence[Sequence[int]], rows: Sequence[int]) -> KeptTrunk:
        """Some questions read, and the tokens that begin the thoughts."""
        ids = [batch[row] for row in rows]
        last = np.array([len(row) - 1 for row in ids])
        return self.sharing.trunk(TrunkPlan(ids, last, frozenset()))

    def _together(
        self, trunk: KeptTrunk, variants: Sequence[Sequence[Write]], request: ThinkRequest
    ) -> list[Thought]:
        """As many variants as go through the model together."""
        n, n_prompts = len(variants), len(trunk.lengths)
        braid = braided(variants, n_prompts)
        strands = Strands(self.sharing, trunk, braid, Taps(braid.writes, (), self.engine))
        state = strands.begun()
        with strands.listening():
            for step in range(request.n_thoughts):
                state = strands.feed(self.projection(state), step)
            said = spoken(strands, self.sharing.info, self._about, len(state), request)
        passes = (said.passes,) * n_prompts
        took = self.sharing.info.n_layers * n_prompts * (request.n_thoughts + said.passes)
        work = [took + trunk.layer_tokens, *[took] * (n - 1)]
        trunk.layer_tokens = 0  # the question counts with the first variant that read it
        return [
            Thought(
                said.new_ids[own::n], passes, said.logits[own::n], {}, strands.fired(own), work[own]
            )
            for own in range(n)
        ]


class Strands:
    """The rows of all variants after their questions, pass by pass, each with its own masks."""

    def __init__(self, sharing: TorchSharing, trunk: KeptTrunk, braid: Braid, taps: Taps) -> None:
        """Every question was read."""
        self._hooked, self._info = sharing.hooked, sharing.info
        self._trunk, self._braid, self._taps = trunk, braid, taps
        self._prompt = np.repeat(np.arange(len(trunk.lengths)), braid.n)
        self._layers = {id(block.attention): n for n, block in enumerate(self._hooked.blocks)}
        self._segments = segments(self._prompt)
        self._seen = trunk.engine.indices(trunk.lengths[self._prompt])
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
        fed = tokens.to(self._hooked.model.device)
        out = self._hooked.model(input_ids=fed, **self._placed(tokens.shape[1]))
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
