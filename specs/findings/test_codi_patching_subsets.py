"""The more thoughts are patched, the more answers are the clean question's; and which ones matter.

The first N thoughts, the last N, and N at random, from one to all six, of the clean question into
the corrupted one. Random sets say what the number alone does; first against last says whether the
place matters. A thought that is patched also makes the next one, so the first few carry on.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20, which has the first N only.
Differs: the vectors that are fed; an exact test of a trend in each pair.
"""

import numpy as np
import pytest

from interp import fed
from interp.stats import average, sign_test, trend
from interp.thoughts import N_THOUGHTS
from interp.transplants import both_correct, estimate_curves, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"
COUNTS = range(1, N_THOUGHTS + 1)


@pytest.fixture(scope="module")
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, where both are answered."""
    test = word_problem_pairs.only(split="test")
    return both_correct(model, test, most=profile.pick(quick=80, full=400), at_least=60)


def subsets(which, draws):
    """So many orders of the thoughts; the first N of an order are what is patched."""
    rng = np.random.default_rng(0)
    every = np.arange(N_THOUGHTS)
    orders = {"first": [every], "last": [every[::-1]]}
    return orders.get(which) or [rng.permutation(N_THOUGHTS) for _ in range(draws)]


@pytest.mark.finding("codi.patching.more-is-more", version=1, source=SOURCE)
def test_more_thoughts_carry_more_clean_answers(model, pairs, measured, drawn, profile):
    donor, shares = thoughts_of(model, pairs.clean, [fed()]), {}
    for which in ("first", "last", "random"):
        orders = subsets(which, profile.pick(quick=4, full=20))
        edits = [transplant(fed(), donor, order[:n]) for order in orders for n in COUNTS]
        hits = np.array([one.are("clean") for one in pairs.answered(model, edits)])
        hits = hits.reshape(len(orders), N_THOUGHTS, -1).mean(axis=0)
        shares[which] = {n: average(each) for n, each in zip(COUNTS, hits, strict=True)}
        for n, share in shares[which].items():
            measured("clean", share, thoughts=n, which=which)
    drawn("counts", estimate_curves("Clean answers", "thoughts patched", shares))
    test = sign_test(trend(hits.T))
    assert measured("trend_p", test.p, n=test.n, unit="p") < 0.01
