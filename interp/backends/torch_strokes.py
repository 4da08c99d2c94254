"""Single writes into rows of a wave: the same arithmetic as anywhere, without masks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interp.backends import arithmetic
from interp.backends.sharing import Moved, Stroke
from interp.backends.torch_layout import Block
from interp.backends.torch_trunk import indices
from interp.errors import NonFiniteError
from interp.sites import SITE_NAMES, SiteName


@dataclass
class Brush:
    """Applies strokes to the rows that are there, and remembers what they did."""

    device: torch.device
    moved: list[Moved] = field(default_factory=list)

    def at(
        self, strokes: Sequence[Stroke], place: np.ndarray, n_heads: int | None, value: Tensor
    ) -> Tensor:
        """A site's value after its strokes; heads are split for them, where the site has heads."""
        shaped = value if n_heads is None else value.view(*value.shape[:-1], n_heads, -1)
        for stroke in strokes:
            shaped = self.apply(shaped, stroke, place)
        return shaped.reshape(value.shape)

    @contextmanager
    def inside(
        self,
        block: Block,
        strokes: Sequence[Stroke],
        place: np.ndarray,
        heads: Mapping[SiteName, int],
    ) -> Iterator[None]:
        """The strokes inside a layer in force, at the modules where any edit is made."""
        names = sorted({stroke.site.name for stroke in strokes}, key=SITE_NAMES.index)
        with ExitStack() as stack:
            for name in names:
                chosen = [stroke for stroke in strokes if stroke.site.name == name]
                tap = partial(self.at, chosen, place, heads.get(name))
                for install in block.installers(name, tap):
                    stack.callback(install().remove)
            yield

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
        which = indices(stroke.which[there], self.device)
        given = torch.from_numpy(stroke.values).to(self.device)[which]
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
        row = indices(place[stroke.row[there]], self.device)
        at = indices(stroke.at[there], self.device)
        if stroke.heads is None:
            return row, at
        return row[:, None], at[:, None], indices(stroke.heads[there], self.device)


def at_layer(strokes: Sequence[Stroke], layer: int, *, stream: bool) -> list[Stroke]:
    """The strokes at the input of a layer, or those inside it."""
    return [s for s in strokes if s.site.layer == layer and (s.site.name == "resid_pre") == stream]


def _norms(values: Tensor) -> np.ndarray[Any, Any]:
    flat = values.flatten(1)
    return np.asarray(torch.linalg.vector_norm(flat, dim=1, dtype=torch.float64).cpu().numpy())
