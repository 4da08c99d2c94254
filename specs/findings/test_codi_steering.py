"""Steering thoughts from right towards wrong answers lowers accuracy: more than what?

At each thought: the mean of questions that are answered minus that of those that are not. What
questions vary in moves answers anyway, so shuffled labels are the null, not random vectors alone.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21; the same on LLaMA-3.2-1B, 2025-10-21.
Differs: found and added at one site; labels from the same decoder; halves disjoint in arithmetic;
         the dose in norms of the site; controls as long at each thought, and enough for a rank.
"""

import numpy as np
import pytest

from interp import fed, resid_post, think
from interp.stats import proportion, rank_in_null
from interp.thought_steering import labelled, right_answers, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.8}
DOSE = -1.0


@pytest.fixture(scope="module")
def plain(model, word_problems, profile):
    """Questions, thought about without an edit."""
    test = word_problems.only(split="test")
    asked = test.where(np.arange(len(test)) < profile.pick(quick=480, full=1200))
    return think(model, asked, capture=[fed(), *map(resid_post, model.layers)])


@pytest.fixture(params=["fed", *DEPTHS])
def site(model, request):
    """The vector that is fed, or the stream at a layer."""
    depth = DEPTHS.get(request.param)
    return fed() if depth is None else resid_post(model.layer(depth))


@pytest.fixture
def found(model, plain, site, profile):
    """A contrast for each thought, and as many right as wrong questions that it was not made of."""
    known = labelled(plain, held=profile.pick(quick=80, full=200))
    contrast = thought_contrast(model, plain, site, known.right, known.wrong)
    return contrast, plain.prompts.where(known.held)


@pytest.mark.finding("codi.steering.suppresses", version=2, source=SOURCE)
@pytest.mark.parametrize("control", ["random", "shuffled"])
def test_it_lowers_accuracy_more_than_controls(model, found, measured, profile, control):
    contrast, questions = found
    draw = contrast.random if control == "random" else contrast.shuffled
    each = [contrast.own, *draw(profile.pick(quick=30, full=200))]
    pushes = [contrast.push(one, DOSE, unit="median_norm") for one in each]
    left, *null = right_answers(model, questions, pushes)
    share = np.mean(null, axis=1)
    measured("accuracy", proportion(left), alpha=DOSE)
    measured("accuracy_of_controls", float(np.median(share)), n=len(share), alpha=DOSE)
    rank = rank_in_null(left.mean(), share, tail="less")
    assert measured("rank_p", rank.p, n=rank.n, unit="p") < 0.05
