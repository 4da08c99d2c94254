"""Trunks and waves on mlx-lm: the model's own layers, called with the rows that need them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache, RotatingKVCache, make_prompt_cache

from interp.backends import room
from interp.backends.batching import real_positions
from interp.backends.kept import KeptTrunk
from interp.backends.mlx_arrays import MlxRows, padded
from interp.backends.mlx_caches import TrunkCache, recipe
from interp.backends.mlx_growing import Growth
from interp.backends.mlx_hooks import Hooked
from interp.backends.mlx_places import Place
from interp.backends.mlx_walk import Walk
from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Grove, Grown, TrunkPlan, Wave, Waved
from interp.backends.taps import finite
from interp.errors import RequestError

SHARED = (KVCache, RotatingKVCache)  # keys and values a token, which rows can take over


@dataclass(frozen=True, eq=False)
class MlxSharing:
    """The steps of a planned sweep on one model of mlx-lm."""

    hooked: Hooked
    info: ModelInfo

    @property
    def refused(self) -> str:
        """Why this model cannot share; empty where nothing is known against it."""
        caches = make_prompt_cache(self.hooked.model)
        odd = {type(one).__name__ for one in caches if not isinstance(one, SHARED)}
        if odd:
            return f"{', '.join(sorted(odd))} keeps more than keys and values"
        if len(caches) != len(self.hooked.blocks):
            return "some layers have no keys and values of their own"
        return ""

    @property
    def tokens_at_once(self) -> int:
        """How many tokens saturate the device."""
        return room.CPU_TOKENS if self.info.device == "cpu" else room.GPU_TOKENS

    def bytes_a_token(self, longest: int) -> int:
        """What one token of a wave takes at most, with prompts of at most this length.

        A row of a single token gets its prompt's keys and values as a copy, twice while its own are
        appended.
        """
        info, size = self.info, self._size
        config = getattr(self.hooked.model, "args", None)
        inner = getattr(config, "intermediate_size", None) or 4 * info.d_model
        copies = 4 * longest * info.n_kv_heads * info.d_head * size
        scores = 3 * info.n_heads * longest * 4
        return int(copies + scores + (3 * inner + 8 * info.d_model) * size)

    def bytes_a_row(self, own: int) -> int:
        """What a row takes while it is decoded, with so many keys and values of its own."""
        info = self.info
        return int(2 * own * info.n_kv_heads * info.d_head * info.n_layers * self._size)

    @property
    def working_set(self) -> int:
        """How many bytes are worth computing at once, whatever is free at the moment."""
        if self.info.device == "cpu":
            return room.CPU_BYTES
        return int(mx.device_info().get("max_recommended_working_set_size") or room.free()) // 4

    @property
    def memory(self) -> int:
        """How many bytes a sweep may take where nothing is said: about half of what is free."""
        if self.info.device == "cpu":
            return room.half(room.free())
        most = mx.device_info().get("max_recommended_working_set_size") or room.free()
        return room.half(max(int(most) - int(mx.get_active_memory()), 0))

    def trunk(self, plan: TrunkPlan) -> KeptTrunk:
        """The unedited pass over prompts of any lengths, right-padded: the model's own forward."""
        real = real_positions(plan.ids, self.info.max_length)
        trunk = KeptTrunk.planned(MlxRows(), plan, real.sum(axis=1))
        caches = [TrunkCache() for _ in self.hooked.blocks]
        with self._alone(*self._noting(trunk)):
            self.hooked.model(padded(plan.ids, real), cache=caches)
            self._keep(trunk, caches)
            mx.eval(trunk.keys, trunk.values, trunk.stream, trunk.final)
            finite(trunk.hidden, "resid_post", np.ones(len(real), dtype=bool))
        trunk.layer_tokens = int(real.sum()) * len(caches)
        return trunk

    def wave(self, trunk: KeptTrunk, wave: Wave, *, keep: bool = False) -> Waved:
        """The rows of a wave from where they join to the end; their keys and values if asked."""
        with self._alone():
            return Walk(self.hooked, self.info, trunk, wave, keep=keep).to_the_end()

    def grow(self, trunk: KeptTrunk, grove: Grove, *, max_new_tokens: int) -> Grown:
        """Greedy decoding of rows until each one's end token or the limit, by length of prompt."""
        lengths = trunk.lengths[grove.prompt]
        alike = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
        with self._alone():
            growths = [
                Growth(self.hooked, self.info, trunk, grove, rows, max_new_tokens) for rows in alike
            ]
            for waved, _ in grove.brought:
                waved.clear()  # copied by now
            done = [growth.to_the_end() for growth in growths]
        new = {
            int(row): ids
            for rows, one in zip(alike, done, strict=True)
            for row, ids in zip(rows, one.new_ids, strict=True)
        }
        return Grown(
            tuple(new[row] for row in range(len(lengths))),
            tuple(moved for one in done for moved in one.moved),
            sum(one.layer_tokens for one in done),
        )

    @property
    def _size(self) -> int:
        return 4 if self.info.dtype == "float32" else 2

    def _noting(self, trunk: KeptTrunk) -> Iterator[Place]:
        """How each layer is called, and its input; what the final norm reads."""
        for layer, block in enumerate(self.hooked.blocks):
            yield Place(block.layer, partial(_note_call, trunk, layer), "call")
            yield Place(block.layer, partial(trunk.note, layer), "input")
        last = partial(trunk.note_last, len(self.hooked.blocks))
        yield Place(self.hooked.norm, last, "input")

    def _keep(self, trunk: KeptTrunk, caches: list[TrunkCache]) -> None:
        """The keys and values of every layer, and what else it was given as something to repeat."""
        made = [one for cache in caches for one in cache.made]
        for layer, cache in enumerate(caches):
            if cache.pair is None:
                raise RequestError("a layer keeps no keys and values", where=f"layer {layer}")
            trunk.keys.append(cache.pair[0])
            trunk.values.append(cache.pair[1])
            args, kwargs = trunk.given[layer]
            trunk.given[layer] = (
                tuple(recipe(value, made) for value in args),
                {name: recipe(value, made) for name, value in kwargs.items()},
            )

    @contextmanager
    def _alone(self, *places: Place) -> Iterator[None]:
        """The model for oneself; what does not fit raises MemoryError.

        Raises:
            MemoryError: out of memory.
        """
        try:
            with self.hooked.alone(*places):
                yield
        except RuntimeError as error:
            if "allocate" in str(error) or "out of memory" in str(error):
                raise MemoryError(str(error)) from None
            raise


def _note_call(trunk: KeptTrunk, layer: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """What a layer is given beside the stream."""
    named = dict(kwargs)
    if not args:
        named.pop(next(iter(named)))
    trunk.given[layer] = (args[1:], named)
