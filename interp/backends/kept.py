"""The unedited pass over some prompts as rows that leave it find it, in an engine's own arrays."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from interp.backends.rows import Array, RowEngine
from interp.backends.sharing import TrunkPlan


@dataclass(eq=False)
class KeptTrunk:
    """The unedited pass: keys, values and the stream where rows leave it, on the device.

    `stream[layer]` is the layer's input from `first` on, [prompt, pos, d_model]; `keys` and
    `values` are [prompt, kv_head, pos, d_head], one a layer; `given` is what else the model gave
    each layer.
    """

    engine: RowEngine
    lengths: Int[np.ndarray, " prompt"]
    first: Int[np.ndarray, " prompt"]
    layers: frozenset[int]
    keys: list[Array] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)
    stream: dict[int, Array] = field(default_factory=dict)
    given: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)
    final: Array = None
    layer_tokens: int = 0

    @classmethod
    def planned(
        cls, engine: RowEngine, plan: TrunkPlan, lengths: Int[np.ndarray, " prompt"]
    ) -> "KeptTrunk":
        """A trunk of which nothing is known yet."""
        return cls(engine, lengths, np.asarray(plan.first), plan.layers)

    @property
    def hidden(self) -> Float[np.ndarray, "prompt d_model"]:
        """What the final norm reads at each prompt's last position."""
        return self.engine.numpy(self.final)

    def note(self, layer: int, hidden: Array) -> Array:
        """Keep a layer's input where rows will join; the input itself."""
        if layer in self.layers:
            self.stream[layer] = self._from_first(hidden)
        return hidden

    def note_last(self, n_layers: int, hidden: Array) -> Array:
        """Keep the final norm's input at the last positions, and where rows will join."""
        rows = self.engine.indices(np.arange(len(self.lengths)))
        self.final = hidden[rows, self.engine.indices(self.lengths - 1)]
        return self.note(n_layers, hidden)

    def _from_first(self, hidden: Array) -> Array:
        """The stream from each prompt's first position that a row takes over."""
        widest = int((self.lengths - self.first).max())
        at = np.minimum(self.first[:, None] + np.arange(widest), self.lengths[:, None] - 1)
        rows = self.engine.indices(np.arange(len(self.lengths))[:, None])
        return hidden[rows, self.engine.indices(at)]
