"""The direction of right answers lies among what thoughts vary in most, and that moves answers.

A mean difference lies among the first principal components by chance alone, for that is where
values differ: the null is that of shuffled labels. And a push along the first component itself, as
long as the direction, is asked to cost more than random pushes: does any direction move answers?

Source:  "LLaMA-3.2-1B Activation Steering Experiment - Full Dataset", 2025-10-21, hypothesis 4 and
         diagnostic analysis; "GPT-2 Activation Steering Experiment", 2025-10-21, PCA: named in
         both, and run in neither.
Differs: components of one half of the questions, pushes tested on the other.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.stats import holm, proportion, rank_in_null
from interp.thought_spaces import principal_space, variance_curves
from interp.thought_steering import labelled, right_answers, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 and LLaMA-3.2-1B Activation Steering Experiments, 2025-10-21"
FIRST, SHUFFLES, DOSE = 8, 200, -1.0


@pytest.fixture(scope="module")
def found(model, word_problems, profile):
    """The contrast at the middle layer, the space of each thought, and questions of neither."""
    site, test = resid_post(model.layer("middle")), word_problems.only(split="test")
    plain = think(model, test, capture=[site])
    known = labelled(plain, held=profile.pick(quick=80, full=200))
    contrast = thought_contrast(model, plain, site, known.right, known.wrong)
    values = [np.concatenate([one.positive, one.negative]) for one in contrast.each]
    return contrast, [*map(principal_space, values)], plain.prompts.where(known.held)


@pytest.mark.finding("codi.direction.components", version=1, source=SOURCE)
def test_it_lies_among_the_first_components_more_than_by_chance(found, measured, drawn):
    contrast, spaces, _ = found
    drawn("variance", variance_curves(spaces, n=2 * len(contrast.each[0].positive)))
    p_values = []
    for step, (one, space) in enumerate(zip(contrast.each, spaces, strict=True)):
        measured("variance_of_first", float(space.shares[:FIRST].sum()), thought=step)
        own = measured("inside_first", space.share_of(one.direction.vector, FIRST), thought=step)
        null = [space.share_of(it.vector, FIRST) for it in one.shuffled(SHUFFLES, seed=0)]
        measured("inside_by_chance", float(np.median(null)), n=SHUFFLES, thought=step)
        p_values.append(rank_in_null(own, np.array(null)).p)
    assert measured("worst_holm_p", float(holm(p_values).max()), n=SHUFFLES, unit="p") < 0.05


def pushes(contrast, spaces, n):
    """A push along the first component of each thought, then along random directions as long."""
    axes = (space.towards(one.vector) for space, one in zip(spaces, contrast.own, strict=True))
    first = tuple(one.like(it, "principal") for one, it in zip(contrast.own, axes, strict=True))
    each = (first, *contrast.random(n))
    return [contrast.push(one, DOSE, unit="median_norm") for one in each]


@pytest.mark.finding("codi.steering.first-component", version=1, source=SOURCE)
def test_the_first_component_costs_more_than_random_pushes(model, found, measured, profile):
    contrast, spaces, questions = found
    each = pushes(contrast, spaces, profile.pick(quick=30, full=200))
    left, *null = right_answers(model, questions, each)
    share = np.mean(null, axis=1)
    measured("accuracy", proportion(left), alpha=DOSE)
    measured("accuracy_of_controls", float(np.median(share)), n=len(share), alpha=DOSE)
    rank = rank_in_null(left.mean(), share, tail="less")
    assert measured("rank_p", rank.p, n=rank.n, unit="p") < 0.05
