"""The direction from wrong to right answers is more than the size of the answer.

Large answers are harder, so right and wrong questions differ in it. If the direction were that and
no more, an equal push along the mean difference of small and large answers would cost as much, and
a direction found among answers of equal sizes would do nothing that shuffled labels do not.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, hypothesis 2: difficulty or magnitude.
Differs: the document names the confounds and tests none of them.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.charts import Bars, Part, floats
from interp.stats import mcnemar, proportion, rank_in_null
from interp.thought_steering import labelled, right_answers, strata, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21, hypothesis 2"
DOSE, BINS = -1.0, 4


@pytest.fixture(scope="module")
def plain(model, word_problems):
    """Questions, thought about without an edit: all of them, for it takes that many."""
    asked = word_problems.only(split="test")
    return think(model, asked, capture=[resid_post(model.layer("middle"))])


@pytest.fixture
def found(model, plain):
    """Who is right, the answers' sizes, the contrast, and questions that it was not made of."""
    known = labelled(plain, held=400)
    sizes = np.array([float(one.answers[0].replace(",", "")) for one in plain.prompts.prompts])
    site = resid_post(model.layer("middle"))
    contrast = thought_contrast(model, plain, site, known.right, known.wrong)
    return known, sizes, contrast, plain.prompts.where(known.held)


def chart(sizes, correct):
    """Questions by the size of their answer, right and wrong ones."""
    parts = np.array_split(np.argsort(sizes, kind="stable"), BINS)
    names = tuple(f"{sizes[part].min():g} to {sizes[part].max():g}" for part in parts)
    right = Part("right", floats(correct[part].sum() for part in parts))
    wrong = Part("wrong", floats((~correct[part]).sum() for part in parts))
    note = f"n = {len(sizes)} questions, without an edit."
    return Bars("Difficulty by size", note, "answer", "questions", names, (right, wrong))


@pytest.mark.finding("codi.steering.answer-size", version=1, source=SOURCE)
def test_it_costs_more_than_a_push_along_answer_size(model, plain, found, measured, drawn):
    known, sizes, contrast, questions = found
    fit = known.right | known.wrong
    small = sizes < np.median(sizes[fit])
    control = thought_contrast(model, plain, contrast.site, fit & small, fit & ~small)
    drawn("difficulty", chart(sizes, plain.correct))
    each = [contrast.own, contrast.like(control)]
    pushes = [contrast.push(one, DOSE, unit="median_norm") for one in each]
    left, by_size = right_answers(model, questions, pushes)
    measured("accuracy", proportion(left), along="right answers")
    measured("accuracy", proportion(by_size), along="small answers")
    measured("cosine", float(np.mean([one.cosine(it) for one, it in zip(*each, strict=True)])))
    assert measured("mcnemar_p", mcnemar(by_size, left).p, n=len(left), unit="p") < 0.05


@pytest.mark.finding("codi.steering.within-size", version=1, source=SOURCE)
def test_among_equal_sizes_it_beats_shuffled_labels(model, plain, found, measured, profile):
    known, sizes, contrast, questions = found
    equal = strata(sizes, known.right, known.wrong, bins=BINS)
    within = thought_contrast(model, plain, contrast.site, *equal)
    each = [within.own, *within.shuffled(profile.pick(quick=20, full=200))]
    pushes = [within.push(one, DOSE, unit="median_norm") for one in each]
    left, *null = right_answers(model, questions, pushes)
    measured("accuracy", proportion(left), n_of_each=len(within.each[0].positive))
    measured("norm_kept", float(np.linalg.norm(within.norms) / np.linalg.norm(contrast.norms)))
    rank = rank_in_null(left.mean(), np.mean(null, axis=1), tail="less")
    assert measured("rank_p", rank.p, n=rank.n, unit="p") < 0.05
