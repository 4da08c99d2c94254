"""A fact is among the likeliest tokens of the lens before the other facts of its kind are.

A late state holds a whole family: after a question for a capital every capital is likely, so "the
answer is in the top k" is partly chance. Each prompt is asked for its own answer and for those of
all the other prompts, over the same depths. Answers that never come up are counted by themselves.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, test 2.1: the first
         layer with the answer in the top 30.
Differs: the plan has no chance baseline and drops what is unresolved; depths are shares of the way.
"""

import numpy as np
import pytest

from interp.resolution import first_in_top
from interp.stats import average, proportion, sign_test

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27, test 2.1"


@pytest.mark.finding("logit-lens.before-chance", version=1, source=SOURCE)
@pytest.mark.parametrize("k", [1, 30])
def test_the_answer_comes_up_before_those_of_other_prompts(
    model, country_capitals, measured, drawn, k
):
    found = first_in_top(model, country_capitals.only(split="test"), k=k)
    drawn("resolved", found.chart())
    measured("resolved", proportion(found.resolved).needs(50))
    measured("unresolved", int((~found.resolved).sum()), n=len(found.depth), unit="prompts")
    measured("resolved_by_chance", average(found.resolved_by_chance))
    measured("chance_of_any_token", found.at_random)
    measured("median_first_depth", float(np.median(found.depth)), n=len(found.depth))
    ahead = measured("ahead_of_others", average(found.ahead))
    p = measured("sign_test_p", sign_test(found.ahead).p, n=ahead.n, unit="p")
    assert ahead.low > 0
    assert p < 0.001
