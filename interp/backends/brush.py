"""Single writes into rows of a wave: the same arithmetic as anywhere, without masks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from jaxtyping import Int

from interp.backends import arithmetic
from interp.backends.rows import Array, RowEngine
from interp.backends.sharing import Moved, Stroke
from interp.errors import NonFiniteError
from interp.sites import SITE_NAMES, SiteName


@dataclass
class Brush:
    """Applies strokes to the rows that are there, and remembers what they did."""

    engine: RowEngine
    moved: list[Moved] = field(default_factory=list)

    def at(
        self,
        strokes: Sequence[Stroke],
        place: Int[np.ndarray, " row"],
        n_heads: int | None,
        value: Array,
    ) -> Array:
        """A site's value after its strokes; heads are split for them, where the site has heads."""
        shaped = value if n_heads is None else value.reshape(*value.shape[:-1], n_heads, -1)
        for stroke in strokes:
            shaped = self.apply(shaped, stroke, place)
        return shaped.reshape(value.shape)

    def taps(
        self,
        strokes: Sequence[Stroke],
        place: Int[np.ndarray, " row"],
        heads: Mapping[SiteName, int],
    ) -> Iterator[tuple[SiteName, partial[Array]]]:
        """What must sit at which site inside a layer, in the order in which a pass meets them."""
        for name in sorted({stroke.site.name for stroke in strokes}, key=SITE_NAMES.index):
            chosen = [stroke for stroke in strokes if stroke.site.name == name]
            yield name, partial(self.at, chosen, place, heads.get(name))

    def apply(self, value: Array, stroke: Stroke, place: Int[np.ndarray, " row"]) -> Array:
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
        before = self.engine.float32(value[where])
        given = self.engine.constant(stroke.values)[self.engine.indices(stroke.which[there])]
        dose = self.engine.constant(stroke.alpha[there]).reshape(-1, *[1] * (before.ndim - 1))
        after = self.engine.cast_like(arithmetic.changed(before, stroke.op, given, dose), value)
        if not self.engine.all_finite(after):
            raise NonFiniteError(
                "an activation is NaN or infinite", where=f"{stroke.site} after an edit"
            )
        delta = self.engine.norms(self.engine.float32(after) - before)
        self.moved.append(Moved(stroke.account[there], delta, self.engine.norms(before)))
        return self.engine.put(value, where, after)

    def _where(
        self, stroke: Stroke, there: Int[np.ndarray, " n"], place: Int[np.ndarray, " row"]
    ) -> tuple[Array, ...]:
        row = self.engine.indices(place[stroke.row[there]])
        at = self.engine.indices(stroke.at[there])
        if stroke.heads is None:
            return row, at
        return row[:, None], at[:, None], self.engine.indices(stroke.heads[there])


def at_layer(strokes: Sequence[Stroke], layer: int, *, stream: bool) -> list[Stroke]:
    """The strokes at the input of a layer, or those inside it."""
    return [s for s in strokes if s.site.layer == layer and (s.site.name == "resid_pre") == stream]
