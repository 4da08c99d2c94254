"""Paris is in the final logit lens, and arrives there by degrees.

"The capital of France is": unembedded after the last block, the residual stream says Paris; after
the first it says something that hardly depends on the country; in between, the answer's rank falls.
One prompt is an anecdote, so every country of the set is asked; the trend of each prompt is one
item of an exact sign test.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, test 0.2; lens of
         nostalgebraist 2020, "interpreting GPT: the logit lens".
Differs: the plan looks at one prompt and one model by eye.
"""

import pytest

from interp import logit_lens
from interp.lens import lens_map
from interp.stats import proportion, sign_test, trend

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27, test 0.2"


@pytest.fixture
def lens(model, country_capitals):
    """The lens at the last token of every country prompt that counts."""
    return logit_lens(model, country_capitals.only(split="test"))


@pytest.fixture
def example(model, country_capitals):
    """The lens at every token of one prompt: an anecdote, for the eye."""
    return lens_map(model, country_capitals.only(split="test", country="France"))


@pytest.mark.finding("logit-lens.answer-on-top", version=1, source=SOURCE)
def test_the_answer_is_on_top_after_the_last_block_and_not_after_the_first(lens, measured, drawn):
    drawn("top1", lens.chart())
    final = measured("final_top1", proportion(lens.top1[:, -1]).needs(50))
    early = measured("first_block_top1", proportion(lens.top1[:, 1]))
    assert final.low > 0.9
    assert early.high < 0.1


@pytest.mark.finding("logit-lens.generic-early", version=1, source=SOURCE)
def test_the_early_lens_is_generic_and_the_late_one_is_not(lens, measured, drawn):
    drawn("generic", lens.generic_chart())
    early = measured("commonest_token_share", float(lens.commonest[1]), depth="first block")
    late = measured("commonest_token_share", float(lens.commonest[-1]), depth="last block")
    assert early > 0.5 > late


@pytest.mark.finding("logit-lens.rank-falls", version=1, source=SOURCE)
def test_the_rank_of_the_answer_falls_with_depth(lens, example, measured, drawn):
    drawn("ranks", example.chart())
    falls = sign_test(trend(lens.ranks), tail="less")
    measured("median_rank_first_block", float(sorted(lens.ranks[:, 1])[len(lens.ranks) // 2]))
    measured("kendall_tau_with_depth", falls.effect, n=falls.n)
    p = measured("sign_test_p", falls.p, n=falls.n, unit="p")
    assert p < 0.001
