"""Trunks and waves on transformers: the model's own layers, called with the rows that need them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from interp.backends import room
from interp.backends.batching import real_positions
from interp.backends.kept import KeptTrunk
from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Grove, Grown, TrunkPlan, Wave, Waved
from interp.backends.taps import finite
from interp.backends.torch_arrays import TorchRows
from interp.backends.torch_attention import KNOWN, Attend, attending, original
from interp.backends.torch_growing import Growth
from interp.backends.torch_hooks import Hooked
from interp.backends.torch_layout import on_input
from interp.backends.torch_trunk import note
from interp.backends.torch_walk import Walk


@dataclass(frozen=True, eq=False)
class TorchSharing:
    """The steps of a planned sweep on one transformers model."""

    hooked: Hooked
    info: ModelInfo

    @property
    def refused(self) -> str:
        """Why this model cannot share; empty where nothing is known against it."""
        own = self.info.attn_implementation
        return "" if own in KNOWN else f"{own} attention has no shared form here"

    @property
    def tokens_at_once(self) -> int:
        """How many tokens saturate the device."""
        return room.CPU_TOKENS if self.info.device == "cpu" else room.GPU_TOKENS

    @property
    def working_set(self) -> int:
        """How many bytes are worth computing at once, whatever is free at the moment."""
        if self.hooked.model.device.type == "cuda":
            return int(torch.cuda.mem_get_info(self.hooked.model.device)[1]) // 4
        return room.CPU_BYTES

    def bytes_a_token(self, longest: int) -> int:
        """What one token of a wave takes at most, with prompts of at most this length."""
        model: Any = self.hooked.model
        config, d_model = model.config.get_text_config(), self.info.d_model
        inner = getattr(config, "intermediate_size", None) or 4 * d_model
        scores = 3 * self.info.n_heads * longest * 4
        return int(scores + (3 * inner + 8 * d_model) * model.dtype.itemsize)

    def bytes_a_row(self, own: int) -> int:
        """What a row takes while it is decoded, with so many keys and values of its own."""
        info, size = self.info, self.hooked.model.dtype.itemsize
        return int(2 * own * info.n_kv_heads * info.d_head * len(self.hooked.blocks) * size)

    @property
    def memory(self) -> int:
        """How many bytes a sweep may take where nothing is said: about half of what is free."""
        device = self.hooked.model.device
        if device.type != "cuda":
            return room.half(room.free())
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return room.half(int(torch.cuda.mem_get_info(device)[0]) + unused)

    def trunk(self, plan: TrunkPlan) -> KeptTrunk:
        """The unedited pass over prompts of any lengths, right-padded: the model's own decoder."""
        real = real_positions(plan.ids, self.info.max_length)
        lengths = real.sum(axis=1)
        trunk = KeptTrunk.planned(TorchRows(self.hooked.model.device), plan, lengths)
        padded = torch.zeros(real.shape, dtype=torch.long)
        padded[torch.from_numpy(real)] = torch.tensor([i for row in plan.ids for i in row])
        with self._attending(partial(self._remember, trunk)), ExitStack() as stack:
            for layer, block in enumerate(self.hooked.blocks):
                hook = partial(note, trunk, layer)
                handle = block.layer.register_forward_pre_hook(hook, with_kwargs=True)
                stack.callback(handle.remove)
            last = partial(trunk.note_last, len(self.hooked.blocks))
            stack.callback(on_input(self.hooked.norm, last).remove)
            self.hooked.decoder(input_ids=padded.to(self.hooked.model.device), use_cache=False)
        trunk.layer_tokens = int(lengths.sum()) * len(self.hooked.blocks)
        finite(trunk.hidden, "resid_post", np.ones(len(lengths), dtype=bool))
        return trunk

    def wave(self, trunk: KeptTrunk, wave: Wave, *, keep: bool = False) -> Waved:
        """The rows of a wave from where they join to the end; their keys and values if asked."""
        walk = Walk(self.hooked, self.info, trunk, wave, keep=keep)
        with self._attending(walk.attend):
            return walk.to_the_end()

    def grow(self, trunk: KeptTrunk, grove: Grove, *, max_new_tokens: int) -> Grown:
        """Greedy decoding of rows until each one's end token or the limit."""
        with self.hooked.alone(), memory():
            growth = Growth(self.hooked, self.info, trunk, grove, max_new_tokens)
        with self._attending(growth.attend):
            return growth.to_the_end()

    @contextmanager
    def _attending(self, attend: Attend) -> Iterator[None]:
        modules = [self.hooked.decoder, *(block.attention for block in self.hooked.blocks)]
        with (
            self.hooked.alone(),
            memory(),
            attending(attend, modules, self.info.attn_implementation),
        ):
            yield

    def _remember(self, trunk: KeptTrunk, module: Any, *args: Any, **settings: Any) -> Any:
        """The model's own attention, its keys and values kept."""
        trunk.keys.append(args[1].contiguous())
        trunk.values.append(args[2].contiguous())
        return original(self.info.attn_implementation, module)(module, *args, **settings)


@contextmanager
def memory() -> Iterator[None]:
    """What does not fit raises MemoryError, whichever device it did not fit on.

    Raises:
        MemoryError: out of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from None
        raise
