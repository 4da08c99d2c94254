"""A clean question's thoughts carry its answer into the corrupted question.

Two questions differ in one number, and the model answers both. While it thinks about the second,
its first N thoughts are replaced by those of the first, or of an unrelated question: the null.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20.
Differs: six thoughts after the beginning, captured and written at one site, no hook left on; one
         decoder; pairs made so that both answers are recomputed; exact tests against the unrelated
         donor, and of clean against corrupted answers: the document calls a winner by eye.
"""

import pytest

from interp import fed, resid_post, think
from interp.outcomes import OUTCOMES
from interp.stats import holm, mcnemar, proportion
from interp.thoughts import N_THOUGHTS
from interp.transplants import both_correct, outcome_bars, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"
FIRST = range(1, N_THOUGHTS + 1)


@pytest.fixture(scope="module")
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, where both are answered."""
    test = word_problem_pairs.only(split="test")
    return both_correct(model, test, most=profile.pick(quick=60, full=400), at_least=60)


@pytest.fixture(scope="module")
def donors(model, pairs):
    """The thoughts of the clean questions, and of others that have nothing to do with them."""
    sites = [fed(), resid_post(model.layer("last"))]
    asked = {"own": pairs.clean, "unrelated": pairs.clean.derange(seed=0)}
    return {name: thoughts_of(model, questions, sites) for name, questions in asked.items()}


@pytest.mark.finding("codi.patching.fed", version=2, source=SOURCE)
def test_clean_thoughts_carry_the_clean_answer(model, pairs, donors, measured, drawn):
    given = {}
    for name, donor in donors.items():
        each = pairs.answered(model, [transplant(fed(), donor, range(n)) for n in FIRST])
        given[name] = dict(zip(FIRST, each, strict=True))
        drawn(name, outcome_bars(f"First N thoughts fed, {name}", "N", given[name]))
        for n, outcome in given[name].items():
            for kind in OUTCOMES:
                measured("share", proportion(outcome.are(kind)), first=n, outcome=kind, donor=name)
    own, null = ([one.are("clean") for one in each.values()] for each in given.values())
    p = holm([mcnemar(*both).p for both in zip(own, null, strict=True)])
    assert measured("holm_p_all_six", float(p[-1]), n=len(pairs), unit="p") < 0.01


@pytest.mark.finding("codi.patching.last-step-dead", version=1, source=SOURCE)
def test_at_the_last_block_six_thoughts_are_five(model, pairs, donors, measured):
    edits = transplant(resid_post(model.layer("last")), donors["own"], range(N_THOUGHTS))
    five, six = (
        think(model, pairs.corrupted, *edits[:n], dead_sites=True).next_logits for n in (5, 6)
    )
    changed = think(model, pairs.corrupted).next_logits != five
    assert measured("largest_difference", float(abs(six - five).max())) == 0
    assert measured("moved_by_five", proportion(changed.any(axis=1))).mean > 0.9
