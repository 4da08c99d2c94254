"""A clean question's thoughts carry its answer into the corrupted question.

Two questions differ in one number, and the model answers both. While it thinks about the second,
its first N thoughts are replaced by those of the first, or of an unrelated question: the null.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20.
Differs: six thoughts after the beginning, captured and written at one site, no hook left on; one
         decoder; pairs made so that both answers are recomputed; exact tests against the unrelated
         donor.
"""

import pytest

from interp import fed, patch, resid_post, think, thought
from interp.outcomes import OUTCOMES, outcomes
from interp.stats import holm, mcnemar, proportion
from interp.thoughts import N_THOUGHTS

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"


@pytest.fixture
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, where both are answered."""
    test = word_problem_pairs.only(split="test")
    clean, corrupted = (test.only(kind=kind) for kind in ("clean", "corrupted"))
    both = think(model, clean).correct & think(model, corrupted).correct
    kept = both & (both.cumsum() <= profile.pick(quick=150, full=400))
    return clean.where(kept, at_least=60), corrupted.where(kept)


def into(model, pairs, site, donors, steps):
    """What the corrupted questions answer with the donors' thoughts at these steps."""
    clean, corrupted = pairs
    edits = [patch(site, donors[site, thought(step)], at=thought(step)) for step in steps]
    texts = think(model, corrupted, *edits, dead_sites=True).texts
    right = [[one.answers[0] for one in side.prompts] for side in (clean, corrupted)]
    return outcomes(texts, *right)


@pytest.mark.finding("codi.patching.fed", version=1, source=SOURCE)
def test_clean_thoughts_carry_the_clean_answer(model, pairs, measured):
    own = think(model, pairs[0], capture=[fed()])
    unrelated = think(model, pairs[0].derange(seed=0), capture=[fed()])
    p_values = []
    for n in range(1, N_THOUGHTS + 1):
        given = into(model, pairs, fed(), own, range(n))
        null = into(model, pairs, fed(), unrelated, range(n))
        for kind in OUTCOMES:
            measured("share", proportion(given.are(kind)), first=n, outcome=kind, donor="own")
            measured("share", proportion(null.are(kind)), first=n, outcome=kind, donor="unrelated")
        p_values.append(mcnemar(given.are("clean"), null.are("clean")).p)
    assert measured("holm_p_all_six", float(holm(p_values)[-1]), n=len(pairs[0]), unit="p") < 0.01


@pytest.mark.finding("codi.patching.layers", version=1, source=SOURCE)
@pytest.mark.parametrize("depth", ["early", "middle", "late"])
def test_clean_thoughts_carry_the_clean_answer_at_a_layer(model, pairs, measured, depth):
    site = resid_post(model.layer({"early": 0.25, "middle": 0.5, "late": 0.9}[depth]))
    own = think(model, pairs[0], capture=[site])
    unrelated = think(model, pairs[0].derange(seed=0), capture=[site])
    every = range(N_THOUGHTS)
    given, null = (into(model, pairs, site, donors, every) for donors in (own, unrelated))
    for kind in OUTCOMES:
        measured("share", proportion(given.are(kind)), outcome=kind, donor="own")
        measured("share", proportion(null.are(kind)), outcome=kind, donor="unrelated")
    test = mcnemar(given.are("clean"), null.are("clean"))
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01


@pytest.mark.finding("codi.patching.last-step-dead", version=1, source=SOURCE)
def test_at_the_last_block_six_thoughts_are_five(model, pairs, measured):
    site = resid_post(model.layer("last"))
    own = think(model, pairs[0], capture=[site])
    edits = [patch(site, own[site, thought(step)], at=thought(step)) for step in range(N_THOUGHTS)]
    five, six = (think(model, pairs[1], *edits[:n], dead_sites=True) for n in (5, 6))
    changed = think(model, pairs[1]).next_logits != five.next_logits
    assert measured("largest_difference", float(abs(six.next_logits - five.next_logits).max())) == 0
    assert measured("moved_by_five", proportion(changed.any(axis=1))).mean > 0.9
