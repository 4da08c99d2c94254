"""Steering thoughts from right towards wrong answers lowers accuracy: more than what?

At each thought, the mean of questions that are answered minus that of those that are not is a
direction. Random vectors as long are one null; what questions vary in moves answers anyway, so that
directions found with shuffled labels are the null for the claim that correctness is steered.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, and "LLaMA-3.2-1B Activation Steering
         Experiment - Full Dataset", 2025-10-21.
Differs: found and added at one site, at live thoughts; labels from the same decoder; halves
         disjoint in arithmetic; doses in norms of the site; 100 controls as long at each thought.
"""

import numpy as np
import pytest

from interp import fed, resid_post, steer, think, thought
from interp.directions import Contrast
from interp.stats import halves as split
from interp.stats import mcnemar, proportion, rank_in_null
from interp.thoughts import N_THOUGHTS

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21"
ALPHAS = [sign * size for size in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0) for sign in (-1, 1)]
DOSE, CONTROLS = -1.0, 100


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
    n = min(60, *(int(kind.sum()) for kind in kinds))
    balanced = sum(kind & (kind.cumsum() <= n) for kind in kinds).astype(bool)
    return contrasts, test.where(balanced, at_least=80)


def steered(model, questions, contrasts, directions, alpha):
    """Which are answered with a direction added at each thought, in norms of what is there."""
    edits = []
    for step, (one, direction) in enumerate(zip(contrasts, directions, strict=True)):
        norm = np.median(np.linalg.norm(np.concatenate([one.positive, one.negative]), axis=1))
        vector = (alpha * norm * direction.unit).astype(np.float32)
        edits.append(steer(one.site, vector, at=thought(step)))
    return think(model, questions, *edits).correct


@pytest.mark.finding("codi.steering", version=1, source=SOURCE)
@pytest.mark.parametrize("control", ["random", "label-shuffled"])
def test_the_direction_lowers_accuracy_more_than_controls(model, found, measured, control):
    contrasts, questions = found
    own = [one.direction for one in contrasts]
    plain = think(model, questions).correct
    for alpha in ALPHAS:
        now = steered(model, questions, contrasts, own, alpha)
        measured("accuracy", proportion(now), alpha=alpha)
        measured("mcnemar_p", mcnemar(plain, now).p, alpha=alpha, n=len(now), unit="p")
    draws = zip(*(kind(one, control) for one in contrasts), strict=True)
    null = [steered(model, questions, contrasts, list(one), DOSE).mean() for one in draws]
    left = steered(model, questions, contrasts, own, DOSE).mean()
    measured("accuracy_of_controls", float(np.median(null)), n=len(null), alpha=DOSE)
    rank = rank_in_null(left, np.array(null), tail="less")
    assert measured("rank_p", rank.p, n=rank.n, unit="p") < 0.05


def kind(contrast, control):
    """The controls of one thought."""
    if control == "random":
        return contrast.direction.random(CONTROLS, seed=0)
    return contrast.shuffled(CONTROLS, seed=0)
