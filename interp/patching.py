"""Back-patching: a late state given back to an early layer of the same prompt."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from interp.charts import HeatMap, Panel
from interp.edits import patch
from interp.grids import Variants
from interp.models import Model
from interp.positions import Position, position
from interp.prompts import PromptSet
from interp.readers import Metric, right_answer
from interp.runs import run
from interp.sites import layer_pairs, resid_post, resid_pre
from interp.sweeps import sweep


@dataclass(frozen=True, eq=False, repr=False)
class Rescues:
    """Which prompts each (early, late) pair of layers answers correctly: bool [pair, batch]."""

    pairs: tuple[tuple[int, int], ...]
    correct: Bool[np.ndarray, "pair batch"]
    at: str = ""

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return (
            f"<{self.any.mean():.3f} of {len(self.any)} rescued by one of {len(self.pairs)} pairs>"
        )

    @property
    def any(self) -> Bool[np.ndarray, " batch"]:
        """Whether some pair answers correctly: the best of all tries, never evidence by itself."""
        return np.asarray(self.correct.any(axis=0))

    def best(self, chosen: Bool[np.ndarray, " batch"]) -> tuple[int, int]:
        """The pair that rescues most of the chosen prompts; the earliest of equals."""
        return self.pairs[int(self.correct[:, chosen].sum(axis=1).argmax())]

    def chart(self, null: "Rescues") -> HeatMap:
        """The share that each pair answers correctly, beside that of the null."""
        layers = range(1 + max(late for _, late in self.pairs))
        names = tuple(map(str, layers))
        return HeatMap(
            "Back-patching: share answered correctly",
            f"n = {self.correct.shape[1]} prompts, the state at {self.at}. Hatched: no such pair.",
            "source: output of block",
            "target: input of block",
            names,
            names,
            "share of prompts",
            (
                Panel("own vector", _cells(self, layers)),
                Panel("another prompt's", _cells(null, layers)),
            ),
        )

    def by(self, pair: tuple[int, int]) -> Bool[np.ndarray, " batch"]:
        """Which prompts one pair answers correctly."""
        return np.asarray(self.correct[self.pairs.index(pair)])


def back_patch(
    model: Model,
    prompts: PromptSet,
    *,
    donors: PromptSet,
    at: str | Position,
    read: Metric = right_answer,
) -> Rescues:
    """Every back-patch: the donor's output of block `late` as the prompt's input of block `early`.

    With the prompts as their own donors this is back-patching; with other prompts as donors it is
    the null that has the same tries. `read` says of a run which prompts count as rescued.

    Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2.
    Differs: the input of block 0, the embedding, is among the targets.

    Raises:
        RequestError: as many donors as prompts are needed, with the named position in each.
    """
    sites = [resid_post(layer) for layer in range(model.n_layers)]
    given = run(model, donors, capture=sites)
    variants = {
        (early, late): (patch(resid_pre(early), given[resid_post(late), at], at=at),)
        for early, late in layer_pairs(model.n_layers)
    }
    grid = sweep(model, prompts, Variants(("early", "late"), variants), read=read)
    return Rescues(tuple(variants), grid.values, str(position(at)))


def _cells(one: Rescues, layers: range) -> tuple[tuple[float | None, ...], ...]:
    """The share of each pair, a row for each early layer; None where there is no such pair."""
    rates = dict(zip(one.pairs, map(float, one.correct.mean(axis=1)), strict=True))
    return tuple(tuple(rates.get((early, late)) for late in layers) for early in layers)
