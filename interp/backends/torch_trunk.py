"""The unedited pass over some prompts as rows that leave it find it, on the device."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(eq=False)
class TorchTrunk:
    """The unedited pass: keys, values and the stream where rows leave it, on the device.

    `stream[layer]` is the layer's input from `first` on, [prompt, pos, d_model].
    """

    lengths: np.ndarray
    first: np.ndarray
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    stream: dict[int, Tensor] = field(default_factory=dict)
    given: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)
    final: Tensor = field(default_factory=lambda: torch.empty(0))
    layer_tokens: int = 0

    @property
    def hidden(self) -> np.ndarray:
        """What the final norm reads at each prompt's last position."""
        return np.asarray(self.final.float().cpu().numpy())


@dataclass(frozen=True, eq=False)
class Own:
    """What rows have of their own at one layer: keys and values, and how they fit to their prompts.

    A row sees the first `seen` tokens of its prompt, and of the first `length` own keys not the
    `absent` first ones.
    """

    keys: Tensor
    values: Tensor
    seen: Tensor
    absent: Tensor
    length: int

    def only(self, rows: Tensor) -> "Own":
        """The same for some of the rows."""
        return Own(
            self.keys[rows], self.values[rows], self.seen[rows], self.absent[rows], self.length
        )


def note(
    trunk: TorchTrunk,
    layer: int,
    wanted: frozenset[int],
    _module: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> None:
    """Keep how the model calls this layer, and its input where rows will join."""
    named = dict(kwargs)
    hidden = args[0] if args else named.pop("hidden_states")
    trunk.given[layer] = (args[1:], named)
    if layer in wanted:
        trunk.stream[layer] = _from_first(trunk, hidden)


def note_last(trunk: TorchTrunk, layer: int, wanted: frozenset[int], hidden: Tensor) -> Tensor:
    """Keep the final norm's input at the last positions, and where rows will join."""
    rows = torch.arange(len(hidden), device=hidden.device)
    trunk.final = hidden[rows, torch.from_numpy(trunk.lengths - 1).to(hidden.device)]
    if layer in wanted:
        trunk.stream[layer] = _from_first(trunk, hidden)
    return hidden


def _from_first(trunk: TorchTrunk, hidden: Tensor) -> Tensor:
    """The stream from each prompt's first position that a row takes over."""
    widest = int((trunk.lengths - trunk.first).max())
    at = np.minimum(trunk.first[:, None] + np.arange(widest), trunk.lengths[:, None] - 1)
    rows = torch.arange(len(hidden), device=hidden.device)[:, None]
    return hidden[rows, torch.from_numpy(at).to(hidden.device)]


def placed(value: Any, *, at: Tensor, padded: int) -> Any:
    """What the model gave a layer for every position, for the positions of these rows.

    Masks are left out, as the attention function knows what a row sees.
    """
    if isinstance(value, tuple):
        return tuple(placed(part, at=at, padded=padded) for part in value)
    if not isinstance(value, Tensor):
        return value
    if value.ndim in (2, 3) and value.shape[0] == 1 and value.shape[1] == padded:
        return value[0][at]
    return None


def indices(numbers: np.ndarray, device: torch.device) -> Tensor:
    """Numbers that index a tensor on a device."""
    return torch.from_numpy(np.asarray(numbers, np.int64)).to(device)
