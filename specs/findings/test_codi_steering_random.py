"""At the document's own dose, alpha = -3, the direction costs more than random ones as long.

The document compares it with the mean of five, ties with the last of them, and calls that
p < 0.01. Its rank among five cannot go below 0.17; here there are enough for a rank to say it.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, random direction control.
Differs: found and added at one site; random directions as long at each thought, not in total.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.stats import proportion, rank_in_null
from interp.thought_steering import labelled, right_answers, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21"
DOSE, SHOWN = -3.0, 5


@pytest.fixture
def arms(model, word_problems, profile):
    """Who is right with the direction at -3, then with each random one."""
    test, site = word_problems.only(split="test"), resid_post(model.layer("middle"))
    asked = test.where(np.arange(len(test)) < profile.pick(quick=480, full=1200))
    plain = think(model, asked, capture=[site])
    known = labelled(plain, held=profile.pick(quick=80, full=200))
    found = thought_contrast(model, plain, site, known.right, known.wrong)
    each = [found.own, *found.random(profile.pick(quick=100, full=1000))]
    pushes = [found.push(one, DOSE) for one in each]
    return right_answers(model, plain.prompts.where(known.held), pushes)


@pytest.mark.finding("codi.steering.random", version=1, source=SOURCE)
def test_at_the_document_s_dose_it_costs_more_than_random_ones(arms, measured):
    left, *null = arms
    share = np.mean(null, axis=1)
    measured("accuracy", proportion(left), alpha=DOSE, published="s001.minus3")
    for one in range(SHOWN):
        name = f"s001.random.{one + 1}"
        measured("accuracy_of_control", proportion(null[one]), control=one + 1, published=name)
    middle = float(np.mean(share))
    measured("accuracy_of_controls", middle, n=len(share), published="s001.random.mean")
    measured("rank_p_of_five", rank_in_null(left.mean(), share[:SHOWN], tail="less").p, unit="p")
    rank = rank_in_null(left.mean(), share, tail="less")
    assert measured("rank_p", rank.p, n=rank.n, unit="p") < 0.05
