"""At which layer a clean question's thoughts carry its answer into the corrupted question.

All six thoughts are replaced at one layer, by those of the clean question or of an unrelated one.
The document reports the late layer, where the answer hardly moves, and calls thoughts weak; its own
stored outputs have the early one, where it moves most. So: every layer, and early against late.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20, and its stored outputs.
Differs: kept and written at one site; every layer; exact tests on the same pairs.
"""

import pytest

from interp import resid_post
from interp.outcomes import OUTCOMES
from interp.stats import mcnemar, proportion
from interp.thoughts import N_THOUGHTS
from interp.transplants import both_correct, estimate_curves, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.9}


@pytest.fixture(scope="module")
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, where both are answered."""
    test = word_problem_pairs.only(split="test")
    return both_correct(model, test, most=profile.pick(quick=60, full=400), at_least=60)


@pytest.fixture(scope="module")
def found(model, pairs):
    """What is answered with six thoughts of the clean question or an unrelated one, by layer."""
    sites = list(map(resid_post, range(model.n_layers)))
    asked = {"own": pairs.clean, "unrelated": pairs.clean.derange(seed=0)}
    outcomes = {}
    for name, questions in asked.items():
        donor = thoughts_of(model, questions, sites)
        edits = [transplant(site, donor, range(N_THOUGHTS)) for site in sites]
        outcomes[name] = pairs.answered(model, edits)
    return outcomes


@pytest.mark.finding("codi.patching.layers", version=2, source=SOURCE)
@pytest.mark.parametrize("depth", DEPTHS)
def test_clean_thoughts_carry_the_clean_answer_at_a_layer(model, found, measured, depth):
    given, null = (each[model.layer(DEPTHS[depth])] for each in found.values())
    for kind in OUTCOMES:
        measured("share", proportion(given.are(kind)), outcome=kind, donor="own")
        measured("share", proportion(null.are(kind)), outcome=kind, donor="unrelated")
    test = mcnemar(given.are("clean"), null.are("clean"))
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01


@pytest.mark.finding("codi.patching.early-late", version=1, source=SOURCE)
def test_six_early_thoughts_carry_more_than_six_late_ones(model, found, measured, drawn):
    hits = {name: [one.are("clean") for one in each] for name, each in found.items()}
    shares = {name: dict(enumerate(map(proportion, each))) for name, each in hits.items()}
    for name, by_layer in shares.items():
        for layer, share in by_layer.items():
            measured("clean", share, layer=layer, donor=name)
    drawn("layers", estimate_curves("Clean answers, six thoughts", "layer", shares))
    both = {depth: hits["own"][model.layer(DEPTHS[depth])] for depth in ("early", "late")}
    for depth, each in both.items():
        measured("clean_at", proportion(each), published=f"s002.llama.N6.{depth}", depth=depth)
    test = mcnemar(both["early"], both["late"])
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.05
