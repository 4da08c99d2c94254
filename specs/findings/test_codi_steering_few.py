"""A direction of all questions costs more than one of sixteen: how many there are matters.

The document's pilot found a direction on 16 questions and tested it on six; the full set changed
nothing, from which it concludes that the number of questions was no limitation. Six questions
cannot say that: if five of them change p is 0.03 at the least. Here both directions are tested on
the same many questions, and as long as each other.

Source:  "LLaMA-3.2-1B Activation Steering Experiment - Full Dataset", 2025-10-21, small against
         full dataset.
Differs: each layer is steered at itself; many draws of sixteen; a dose in norms of the site.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.stats import average, proportion, sign_test
from interp.thought_steering import few_of, labelled, right_answers, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA-3.2-1B Activation Steering Experiment - Full Dataset, 2025-10-21"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.87}
FEW, SIX, DOSE = 8, 3, -1.0


@pytest.fixture(scope="module")
def plain(model, word_problems):
    """All questions, thought about without an edit."""
    sites = [resid_post(model.layer(share)) for share in DEPTHS.values()]
    return think(model, word_problems.only(split="test"), capture=sites)


@pytest.fixture
def hits(model, plain, profile, depth):
    """Who is right under the direction of all questions, then under those of sixteen each."""
    site = resid_post(model.layer(DEPTHS[depth]))
    known = labelled(plain, held=profile.pick(quick=160, full=480))
    whole = thought_contrast(model, plain, site, known.right, known.wrong)
    draws = range(profile.pick(quick=10, full=100))
    each = [whole.own, *(whole.like(few_of(whole, FEW, seed=seed)) for seed in draws)]
    pushes = [(), *(whole.push(one, DOSE, unit="median_norm") for one in each)]
    return right_answers(model, plain.prompts.where(known.held), pushes), 2 * known.right.sum()


@pytest.mark.finding("codi.steering.more-questions", version=1, source=SOURCE)
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_direction_of_all_costs_more_than_one_of_sixteen(hits, measured):
    (base, whole, *few), n_found = hits
    six = np.isin(np.arange(len(base)), [*np.flatnonzero(base)[:SIX], *np.flatnonzero(~base)[:SIX]])
    measured("questions", int(n_found), unit="count", published="s000.questions.train")
    measured("questions_of_few", 2 * FEW, unit="count", published="s000.questions.few.train")
    measured("questions_tested", len(base), unit="count", published="s000.questions.test")
    measured("six_tested", int(six.sum()), unit="count", published="s000.questions.few.test")
    measured("accuracy_of_six", proportion(few[0][six]), published="s000.few.accuracy")
    measured("accuracy", proportion(whole), of="all")
    measured("accuracy", average(np.mean(few, axis=0)), of="sixteen")
    test = sign_test(np.mean(few, axis=0) - whole)
    assert measured("sign_p", test.p, n=test.n, unit="p") < 0.05
