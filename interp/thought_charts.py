"""Figures of steered thoughts: what each dose moved, and what the directions look like."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from interp.charts import Bars, HeatMap, Panel, Part, floats
from interp.steering import DoseResponse
from interp.thought_steering import ThoughtContrast, changes


def change_chart(by_dose: DoseResponse, before: Bool[np.ndarray, " batch"]) -> Bars:
    """How many questions each dose moved, and which way."""
    each = [changes(before, hits) for hits in by_dose.direction]
    parts = tuple(Part(name, floats(one[name].sum() for one in each)) for name in each[0])
    note = f"n = {len(before)} questions, half of them answered rightly without an edit."
    columns = tuple(f"{alpha:+g}" if alpha else "0" for alpha in by_dose.alphas)
    return Bars("Answers by dose of the direction", note, "alpha", "questions", columns, parts)


def norm_map(contrasts: Sequence[ThoughtContrast]) -> HeatMap:
    """How long each layer's direction is at each thought, in norms of the site."""
    cells = [floats(one.norms / [each.median_norm for each in one.each]) for one in contrasts]
    sizes = [len(part) for part in (contrasts[0].each[0].positive, contrasts[0].each[0].negative)]
    return HeatMap(
        "Norm of the direction by layer and thought",
        f"n = {sizes[0]} and {sizes[1]} questions. 1 is the median norm of the site.",
        "thought", "layer",
        _numbered(len(contrasts[0].each)), tuple(str(one.site.layer) for one in contrasts),
        "norm", (Panel("direction", tuple(cells)),),
    )  # fmt: skip


def direction_map(found: ThoughtContrast, *, dimensions: int = 50) -> HeatMap:
    """The first entries of the direction at each thought."""
    cells = tuple(floats(one.vector[:dimensions]) for one in found.own)
    return HeatMap(
        f"Direction at {found.site}, its first {dimensions} entries",
        "One row a thought. Entries have no order: what repeats down a column is shared.",
        "entry", "thought", _numbered(len(cells[0])), _numbered(len(cells)),
        "entry", (Panel("direction", cells),), "around zero",
    )  # fmt: skip


def cosine_map(found: ThoughtContrast) -> HeatMap:
    """The cosines of the direction at one thought with that at another."""
    cells = tuple(floats(one.cosine(other) for other in found.own) for one in found.own)
    names = _numbered(len(cells))
    return HeatMap(
        f"Cosines of the direction at {found.site}",
        "1 is the same direction at both thoughts, 0 an orthogonal one.",
        "thought", "thought", names, names, "cosine", (Panel("direction", cells),), "around zero",
    )  # fmt: skip


def _numbered(n: int) -> tuple[str, ...]:
    return tuple(map(str, range(n)))
