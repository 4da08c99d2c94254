"""Steering of thoughts: a direction for each thought, found and added at one site.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, and the same on LLaMA-3.2-1B.
Differs: added at the site where it was found; labels from the decoder that is steered; halves
         disjoint by text; controls as long as the direction at each thought, not in total.
Pinned:  specs/contracts/test_steering_artefacts.py, specs/calibration/test_steering_controls.py
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from interp.directions import Contrast, Direction
from interp.edits import Edit, Unit, steer
from interp.errors import InconclusiveError
from interp.models import Model
from interp.positions import thought
from interp.prompts import PromptSet
from interp.sites import Site
from interp.stats import halves
from interp.steering import DoseResponse
from interp.thought_sweeps import think_sweep
from interp.thoughts import Thinking

Directions = tuple[Direction, ...]  # one a thought
Change = Literal["stayed right", "became right", "became wrong", "stayed wrong"]
ACROSS = {
    "raw": "alpha (1 = the norm it was found with, at each thought)",
    "median_norm": "alpha (1 = the median norm of the site, at each thought)",
}


@dataclass(frozen=True, eq=False)
class Labelled:
    """Questions by what the model made of them: two kinds to find a direction, others to test it.

    As many right as wrong ones on either side, and no arithmetic on both.
    """

    right: Bool[np.ndarray, " batch"]
    wrong: Bool[np.ndarray, " batch"]
    held: Bool[np.ndarray, " batch"]


def labelled(thinking: Thinking, *, held: int, at_least: int = 60, seed: int = 0) -> Labelled:
    """The questions of an unedited course of thought, split by what they are about.

    Args:
        thinking: gives the labels, so the decoder that is steered must have made it.
        held: at most so many questions to test on, half of them answered rightly.
        at_least: fewer are too few for a verdict.
        seed: of the split.

    Raises:
        InconclusiveError: too few of either kind to test on.
    """
    fit, rest = halves(thinking.prompts.groups, seed=seed)
    right, wrong = thinking.correct, ~thinking.correct
    tested = _balanced(rest & right, rest & wrong, held // 2)
    found = _balanced(fit & right, fit & wrong, len(fit))
    if tested.sum() < at_least:
        raise InconclusiveError(
            "too few questions for a verdict",
            expected=f"at least {at_least}",
            received=tested.sum(),
        )
    return Labelled(found & right, found & wrong, tested)


@dataclass(frozen=True, eq=False, repr=False)
class ThoughtContrast:
    """What two kinds of questions leave at one site, thought by thought."""

    each: tuple[Contrast, ...]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<a contrast at {len(self.each)} thoughts of {self.site}>"

    @property
    def site(self) -> Site:
        """Where it was found, and where it is added."""
        return self.each[0].site

    @property
    def own(self) -> Directions:
        """The mean difference at each thought."""
        return tuple(one.direction for one in self.each)

    @property
    def norms(self) -> Float[np.ndarray, " thought"]:
        """How long the mean difference is at each thought."""
        return np.array([one.norm for one in self.own])

    @property
    def relative_norm(self) -> float:
        """How long it is beside the site's values, in the median over thoughts."""
        return float(np.median(self.norms / [one.median_norm for one in self.each]))

    def random(self, n: int, *, seed: int = 0) -> list[Directions]:
        """`n` times a random direction at each thought, as long as the mean difference there."""
        draws = [one.random(n, seed=seed + step) for step, one in enumerate(self.own)]
        return list(zip(*draws, strict=True))

    def shuffled(self, n: int, *, seed: int = 0) -> list[Directions]:
        """`n` times the mean differences of shuffled labels, the same shuffle at every thought."""
        return list(zip(*(one.shuffled(n, seed=seed) for one in self.each), strict=True))

    def like(self, other: "ThoughtContrast") -> Directions:
        """Another contrast's directions, as long as these are at each thought."""
        pairs = zip(self.own, other.own, strict=True)
        return tuple(ours.like(theirs.vector, theirs.found) for ours, theirs in pairs)

    def push(self, directions: Directions, alpha: float, *, unit: Unit = "raw") -> tuple[Edit, ...]:
        """A direction added at each thought, `alpha` times its norm, or times that of the site."""
        sizes = [one.median_norm for one in self.each]
        return tuple(
            steer(
                self.site,
                replace(one, vector=one.unit * np.float32(size)) if unit != "raw" else one,
                alpha=alpha,
                at=thought(step),
            )
            for step, (one, size) in enumerate(zip(directions, sizes, strict=True))
        )


def few_of(found: ThoughtContrast, n: int, *, seed: int = 0) -> ThoughtContrast:
    """The same contrast of `n` questions of either kind."""
    rng, first = np.random.default_rng(seed), found.each[0]
    kinds = (len(first.positive), len(first.negative))
    return _of(found, *(rng.permutation(size)[:n] for size in kinds))


def resampled_norms(
    found: ThoughtContrast, n: int, *, seed: int = 0
) -> Float[np.ndarray, "draw thought"]:
    """The norms of `n` bootstrap samples of the questions, the same at every thought."""
    rng, first = np.random.default_rng(seed), found.each[0]
    sizes = len(first.positive), len(first.negative)
    draws = [[rng.integers(size, size=size) for size in sizes] for _ in range(n)]
    return np.array([_of(found, *draw).norms for draw in draws])


def thought_contrast(
    model: Model,
    thinking: Thinking,
    site: Site,
    positive: Bool[np.ndarray, " batch"],
    negative: Bool[np.ndarray, " batch"],
) -> ThoughtContrast:
    """What two kinds of questions leave at a captured site, at each thought.

    Raises:
        RequestError: the site was not captured.
    """
    values = (thinking[site, thought(step)] for step in range(thinking.n_thoughts))
    each = (Contrast(one[positive], one[negative], site, model.fingerprint) for one in values)
    return ThoughtContrast(tuple(each))


def right_answers(
    model: Model, questions: PromptSet, pushes: Sequence[tuple[Edit, ...]]
) -> Bool[np.ndarray, "push batch"]:
    """Which questions are answered rightly under each push."""
    hits = think_sweep(model, questions, pushes, read=lambda done: done.correct).values
    return np.asarray(hits, dtype=bool)


def thought_doses(
    model: Model,
    questions: PromptSet,
    found: ThoughtContrast,
    *,
    alphas: Sequence[float],
    controls: Sequence[Directions],
    unit: Unit = "raw",
) -> DoseResponse:
    """The directions of a contrast and their controls, at each dose; dose 0 is no edit at all."""
    pushes = [
        found.push(one, alpha, unit=unit) if alpha else ()
        for one in (found.own, *controls)
        for alpha in alphas
    ]
    hits = right_answers(model, questions, pushes).reshape(1 + len(controls), len(alphas), -1)
    return DoseResponse(np.array(alphas, np.float64), hits[0], hits[1:], ACROSS[unit])


def changes(
    before: Bool[np.ndarray, " batch"], after: Bool[np.ndarray, " batch"]
) -> dict[Change, Bool[np.ndarray, " batch"]]:
    """Which questions an edit moved, and which way."""
    return {
        "stayed right": before & after,
        "became right": ~before & after,
        "became wrong": before & ~after,
        "stayed wrong": ~before & ~after,
    }


def strata(
    sizes: Float[np.ndarray, " batch"],
    positive: Bool[np.ndarray, " batch"],
    negative: Bool[np.ndarray, " batch"],
    *,
    bins: int = 4,
) -> tuple[Bool[np.ndarray, " batch"], Bool[np.ndarray, " batch"]]:
    """As many of either kind in every stratum of a size: what is left of two kinds of questions."""
    edges = np.quantile(sizes[positive | negative], np.linspace(0, 1, bins + 1)[1:-1])
    stratum = np.digitize(sizes, edges)
    kept = np.zeros(len(sizes), dtype=bool)
    for part in _parts(stratum, bins):
        kept |= _balanced(part & positive, part & negative, len(sizes))
    return kept & positive, kept & negative


def _of(found: ThoughtContrast, ours: np.ndarray, theirs: np.ndarray) -> ThoughtContrast:
    each = (
        replace(one, positive=one.positive[ours], negative=one.negative[theirs])
        for one in found.each
    )
    return ThoughtContrast(tuple(each))


def _parts(stratum: np.ndarray, bins: int) -> Iterator[Bool[np.ndarray, " batch"]]:
    return (np.asarray(stratum == number) for number in range(bins))


def _balanced(
    one: Bool[np.ndarray, " batch"], other: Bool[np.ndarray, " batch"], most: int
) -> Bool[np.ndarray, " batch"]:
    """The first of either kind, the same number of both, and at most so many."""
    n = min(int(one.sum()), int(other.sum()), most)
    return np.asarray((one & (one.cumsum() <= n)) | (other & (other.cumsum() <= n)))
