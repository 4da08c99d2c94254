"""What a transformers model gives its layers, and what rows that leave the trunk are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from interp.backends.kept import KeptTrunk


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
    trunk: KeptTrunk, layer: int, _module: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Keep how the model calls this layer, and its input where rows will join."""
    named = dict(kwargs)
    hidden = args[0] if args else named.pop("hidden_states")
    trunk.given[layer] = (args[1:], named)
    trunk.note(layer, hidden)


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
