"""The tables of a comparison of two architectures, with the patching done right.

The document patches one thought at three depths, then the first N at the late one, and reads off
the table when "clean wins". Here are the same tables for the model at hand, beside the document's
columns. Its claims: one late thought carries the answer; from some N on clean answers lead.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20.
Differs: the first thought is fed, not the token before it; kept and written at one site; one
         decoder; an unrelated donor as the null; a winner by an exact test.
"""

import pytest

from interp import resid_post
from interp.outcomes import OUTCOMES
from interp.stats import holm, mcnemar, proportion, sign_test
from interp.thoughts import N_THOUGHTS
from interp.transplants import both_correct, outcome_bars, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.9}
DOCUMENTS = ("gpt2", "llama")


@pytest.fixture(scope="module")
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, where both are answered."""
    test = word_problem_pairs.only(split="test")
    return both_correct(model, test, most=profile.pick(quick=60, full=400), at_least=60)


@pytest.fixture(scope="module")
def donors(model, pairs):
    """The thoughts of the clean questions and of unrelated ones."""
    sites = [resid_post(model.layer(share)) for share in DEPTHS.values()]
    asked = {"own": pairs.clean, "unrelated": pairs.clean.derange(seed=0)}
    return {name: thoughts_of(model, questions, sites) for name, questions in asked.items()}


def patched(model, pairs, donor, depth, counts):
    """What the corrupted questions are answered with the first N thoughts of others."""
    site = resid_post(model.layer(DEPTHS[depth]))
    each = pairs.answered(model, [transplant(site, donor, range(n)) for n in counts])
    return dict(zip(counts, each, strict=True))


def shares(measured, outcome, table, **labels):
    """Every outcome's share, beside each document's; neither counts what could be either's."""
    for document in DOCUMENTS:
        for kind in OUTCOMES:
            known = None if kind == "ambiguous" else f"s002.{document}.{table}.{kind}"
            said = {"document": document, "outcome": kind, **labels}
            measured("share", proportion(outcome.are(kind)), published=known, **said)


@pytest.mark.finding("codi.patching.one-thought", version=1, source=SOURCE)
def test_one_late_thought_carries_the_clean_answer(model, pairs, donors, measured, drawn):
    one = {depth: patched(model, pairs, donors["own"], depth, [1])[1] for depth in DEPTHS}
    null = patched(model, pairs, donors["unrelated"], "late", [1])[1]
    for depth, outcome in one.items():
        shares(measured, outcome, f"{depth}.one", depth=depth)
    drawn("layers", outcome_bars("The first thought patched", "layer", one))
    test = mcnemar(one["late"].are("clean"), null.are("clean"))
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.05


@pytest.mark.finding("codi.patching.clean-wins", version=1, source=SOURCE)
def test_late_clean_answers_come_to_outnumber_corrupted_ones(model, pairs, donors, measured, drawn):
    by_count = patched(model, pairs, donors["own"], "late", range(1, N_THOUGHTS + 1))
    for n, outcome in by_count.items():
        shares(measured, outcome, f"late.N{n}", first=n)
    drawn("counts", outcome_bars("First N thoughts patched, late layer", "N", by_count))
    ahead = [1.0 * one.are("clean") - one.are("corrupted") for one in by_count.values()]
    p = holm([sign_test(one).p for one in ahead])
    needed = next((n for n in by_count if (p[n - 1 :] < 0.05).all()), N_THOUGHTS + 1)
    for document in DOCUMENTS:
        about = f"s002.{document}.majority"
        measured("thoughts_needed", needed, unit="thoughts", published=about, document=document)
    assert measured("holm_p_all_six", float(p[-1]), n=len(ahead[0]), unit="p") < 0.05
