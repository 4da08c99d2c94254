"""Steering by dose: what a push along a direction does, beside random pushes as long."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from interp.charts import Curves, Line, Plot, floats
from interp.directions import Direction
from interp.edits import steer
from interp.errors import RequestError
from interp.models import Model
from interp.prompts import PromptSet
from interp.readers import Metric
from interp.runs import Run
from interp.stats import proportion
from interp.sweeps import sweep

DOSES = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)


@dataclass(frozen=True, eq=False, repr=False)
class DoseResponse:
    """Which prompts are answered as expected at each dose of a direction and of its controls."""

    alphas: Float[np.ndarray, " alpha"]
    direction: Bool[np.ndarray, "alpha batch"]
    controls: Bool[np.ndarray, "control alpha batch"]
    across: str = "alpha (1 = the norm it was found with)"

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<{len(self.alphas)} doses of a direction and of {len(self.controls)} controls>"

    def chart(self, outcome: str = "answered as expected") -> Curves:
        """The share by dose, with Wilson intervals, before the band of the controls."""
        rates = [proportion(hits) for hits in self.direction]
        chance = np.quantile(self.controls.mean(axis=2), (0.05, 0.5, 0.95), axis=0)
        low, middle, high = map(floats, chance)
        x = floats(self.alphas)
        lines = (
            Line("random, same norm", x, middle, low, high, "control"),
            Line(
                "direction",
                x,
                floats(rate.mean for rate in rates),
                floats(rate.low for rate in rates),
                floats(rate.high for rate in rates),
            ),
        )
        return Curves(
            f"Share {outcome}, by dose of the direction",
            f"n = {self.direction.shape[1]} prompts. Bars: 95 % Wilson intervals. "
            f"Band: 5 to 95 % of {len(self.controls)} random directions.",
            self.across,
            (Plot(f"share {outcome}", lines),),
        )


def as_expected(steered: Run) -> Bool[np.ndarray, " batch"]:
    """Whether the likeliest next token begins an answer."""
    return steered.correct


def dose_response(
    model: Model,
    prompts: PromptSet,
    direction: Direction,
    *,
    controls: Sequence[Direction],
    alphas: Sequence[float] = DOSES,
    read: Metric = as_expected,
) -> DoseResponse:
    """A direction and its controls added at every position, at each dose.

    Dose 0 is the run without an edit, once for all of them.

    Raises:
        RequestError: no dose, no control, or a direction that is not of this model.
    """
    if not (len(controls) and len(alphas)):
        raise RequestError("a dose response needs a dose and a control", asked="dose_response(...)")
    doses = [float(alpha) for alpha in alphas if alpha]
    pushes = [
        (steer(one.site, one, alpha=alpha),) for one in (direction, *controls) for alpha in doses
    ]
    hits = sweep(model, prompts, [(), *pushes], read=read).values
    plain = np.tile(hits[0], (1 + len(controls), 1))
    pushed = hits[1:].reshape(1 + len(controls), len(doses), -1)
    by_dose = [pushed[:, doses.index(alpha)] if alpha else plain for alpha in alphas]
    whole = np.stack(by_dose, axis=1)
    return DoseResponse(np.array(alphas, dtype=np.float64), whole[0], whole[1:])
