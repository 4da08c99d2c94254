"""Single writes into rows of a wave: the same arithmetic as anywhere, without masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interp.backends import arithmetic
from interp.backends.sharing import Moved, Stroke
from interp.errors import NonFiniteError


@dataclass
class Brush:
    """Applies strokes to the rows that are there, and remembers what they did."""

    device: torch.device
    moved: list[Moved] = field(default_factory=list)

    def apply(self, value: Tensor, stroke: Stroke, place: np.ndarray) -> Tensor:
        """The value with the stroke's writes in it.

        Args:
            value: [row, pos, *feature]; heads on an axis of their own where the stroke names some.
            stroke: what to write.
            place: where each row of the wave is in `value`, -1 for those that are not there.

        Raises:
            NonFiniteError: an edited value is NaN or infinite.
        """
        there = np.flatnonzero(place[stroke.row] >= 0)
        if not len(there):
            return value
        where = self._where(stroke, there, place)
        before = value[where].float()
        given = torch.from_numpy(stroke.values).to(self.device)[self._index(stroke.which[there])]
        dose = torch.from_numpy(stroke.alpha[there]).to(self.device)
        dose = dose.view(-1, *[1] * (before.ndim - 1))
        after = arithmetic.changed(before, stroke.op, given, dose).to(value.dtype)
        if not bool(torch.isfinite(after).all()):
            raise NonFiniteError(
                "an activation is NaN or infinite", where=f"{stroke.site} after an edit"
            )
        account = stroke.account[there]
        self.moved.append(Moved(account, _norms(after.float() - before), _norms(before)))
        return value.clone().index_put_(where, after)

    def _where(self, stroke: Stroke, there: np.ndarray, place: np.ndarray) -> tuple[Tensor, ...]:
        row, at = self._index(place[stroke.row[there]]), self._index(stroke.at[there])
        if stroke.heads is None:
            return row, at
        return row[:, None], at[:, None], self._index(stroke.heads[there])

    def _index(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(numbers, np.int64)).to(self.device)


def headed(value: Tensor, n_heads: int | None) -> Tensor:
    """The value with heads on an axis of their own, where its site has them."""
    return value if n_heads is None else value.view(*value.shape[:-1], n_heads, -1)


def at_layer(strokes: Sequence[Stroke], layer: int, *, stream: bool) -> list[Stroke]:
    """The strokes at the input of a layer, or those inside it."""
    return [s for s in strokes if s.site.layer == layer and (s.site.name == "resid_pre") == stream]


def _norms(values: Tensor) -> np.ndarray[Any, Any]:
    flat = values.flatten(1)
    return np.asarray(torch.linalg.vector_norm(flat, dim=1, dtype=torch.float64).cpu().numpy())
