"""The model as mlx-lm itself runs it, one unpadded row at a time: what we compare with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import numpy as np
from jaxtyping import Float
from mlx_lm.generate import generate_step

from interp.backends.batching import until
from interp.backends.mlx_hooks import Hooked
from interp.backends.mlx_layout import head_of
from interp.backends.mlx_loading import float_weight


class MlxReference:
    """An independent reading of a model: none of our padding, taps or decoding is in it."""

    def __init__(self, hooked: Hooked, end_ids: frozenset[int]) -> None:
        self._hooked = hooked
        self._end_ids = end_ids

    def logits(self, ids: Sequence[int]) -> Float[np.ndarray, "pos d_vocab"]:
        """The logits of one row at every position."""
        with self._hooked.alone():
            return _numpy(self._hooked.model(_row(ids))[0])

    def hidden_states(self, ids: Sequence[int]) -> tuple[Float[np.ndarray, "pos d_model"], ...]:
        """The stream before each layer, then after the final norm.

        mlx-lm reports none. They are read from the classes of the modules, not from the modules,
        so that nothing of what our taps rest on is in them.
        """
        seen: dict[int, mx.array] = {}
        layers = [block.layer for block in self._hooked.blocks]
        with self._hooked.alone(), _recording(layers, "input", seen):
            with _recording([self._hooked.norm], "output", seen):
                self._hooked.model(_row(ids))
            return tuple(_numpy(seen[id(one)][0]) for one in (*layers, self._hooked.norm))

    def generate(self, ids: Sequence[int], max_new_tokens: int) -> tuple[int, ...]:
        """mlx-lm's own greedy decoding of one row, its end token included."""
        with self._hooked.alone():
            steps = generate_step(
                mx.array(list(ids)), self._hooked.model, max_tokens=max_new_tokens
            )
            return until([int(token) for token, _ in steps], self._end_ids)

    def unembedding(self, tokens: Sequence[int]) -> Float[np.ndarray, "n d_model"]:
        """The rows of the head that belong to some tokens, dequantised."""
        with self._hooked.alone():
            return _numpy(float_weight(head_of(self._hooked.model), tokens))


@contextmanager
def _recording(modules: Sequence[Any], what: str, seen: dict[int, mx.array]) -> Iterator[None]:
    """Note what these modules are given or give, through their class."""
    kind: Any = type(modules[0])
    own, wanted = kind.__call__, {id(module) for module in modules}

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = args[0] if args else next(iter(kwargs.values()))
        out = own(self, *args, **kwargs)
        if id(self) in wanted:
            seen[id(self)] = given if what == "input" else out
        return out

    kind.__call__ = call
    try:
        yield
    finally:
        kind.__call__ = own


def _row(ids: Sequence[int]) -> mx.array:
    return mx.array([list(ids)])


def _numpy(value: mx.array) -> Float[np.ndarray, "..."]:
    return np.array(value.astype(mx.float32))
