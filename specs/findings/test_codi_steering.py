"""Steering thoughts from right towards wrong answers lowers accuracy: more than what?

At each thought: the mean of questions that are answered minus that of those that are not. What
questions vary in moves answers anyway, so shuffled labels are the null, not random vectors alone.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21; the same on LLaMA-3.2-1B, 2025-10-21.
Differs: found and added at one site; labels from the same decoder; halves disjoint in arithmetic;
         doses in norms of the site; controls as long at each thought.
"""

import numpy as np
import pytest

from interp import fed, resid_post, steer, think, thought
from interp.directions import Contrast
from interp.stats import halves as split
from interp.stats import holm, mcnemar, proportion, rank_in_null
from interp.thoughts import N_THOUGHTS

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21"
ALPHAS = [sign * size for size in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0) for sign in (-1, 1)]
DOSE = -1.0


@pytest.fixture(params=["fed", "early", "middle", "late"])
def site(model, request):
    """The vector that is fed, or the stream at a layer."""
    depths = {"early": 0.25, "middle": 0.5, "late": 0.8}
    return fed() if request.param == "fed" else resid_post(model.layer(depths[request.param]))


@pytest.fixture
def found(model, word_problems, site):
    """A contrast for each thought, found on one half; as many right and wrong ones of the other."""
    test = word_problems.only(split="test")
    plain = think(model, test, capture=[site])
    fit, held = split(test.groups, seed=0)
    right, wrong = fit & plain.correct, fit & ~plain.correct
    values = [plain[site, thought(step)] for step in range(N_THOUGHTS)]
    contrasts = [Contrast(one[right], one[wrong], site, model.fingerprint) for one in values]
    kinds = [held & plain.correct, held & ~plain.correct]
    n = min(60, *map(int, map(sum, kinds)))
    balanced = sum(kind & (kind.cumsum() <= n) for kind in kinds) > 0
    return contrasts, test.where(balanced, at_least=80)


def steered(model, questions, contrasts, directions, alpha):
    """Which are answered with a direction added at each thought, in norms of what is there."""
    each = zip(contrasts, directions, map(thought, range(N_THOUGHTS)), strict=True)
    edits = [steer(one.site, alpha * one.median_norm * by.unit, at=at) for one, by, at in each]
    return think(model, questions, *edits).correct


@pytest.mark.finding("codi.steering.suppresses", version=1, source=SOURCE)
@pytest.mark.parametrize("control", ["random", "shuffled"])
def test_it_lowers_accuracy_more_than_controls(model, found, measured, profile, control):
    contrasts, questions = found
    left = steered(model, questions, contrasts, [one.direction for one in contrasts], DOSE)
    n = profile.pick(quick=40, full=200)
    kinds = [one.direction.random if control == "random" else one.shuffled for one in contrasts]
    draws = zip(*(kind(n, seed=seed) for seed, kind in enumerate(kinds)), strict=True)
    null = [steered(model, questions, contrasts, one, DOSE).mean() for one in draws]
    measured("accuracy", proportion(left), alpha=DOSE)
    measured("accuracy_of_controls", float(np.median(null)), n=n, alpha=DOSE)
    rank = rank_in_null(left.mean(), np.array(null), tail="less")
    assert measured("rank_p", rank.p, n=rank.n, unit="p") < 0.05


@pytest.mark.finding("codi.steering.amplifies", version=1, source=SOURCE)
def test_it_raises_accuracy_at_some_positive_dose(model, found, measured):
    contrasts, questions = found
    own = [one.direction for one in contrasts]
    plain, p_values = think(model, questions).correct, []
    measured("accuracy", proportion(plain), alpha=0.0)
    for alpha in ALPHAS:
        now = steered(model, questions, contrasts, own, alpha)
        measured("accuracy", proportion(now), alpha=alpha)
        p_values += [mcnemar(now, plain).p] if alpha > 0 else []
    assert measured("best_p", float(holm(p_values).min()), n=len(questions), unit="p") < 0.05
