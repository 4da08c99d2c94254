"""Where "the model breaks when all six thoughts are patched" comes from: a hook that stays on.

A counter of steps that is not reset after the last thought keeps the last patch in force: every
token of the answer is overwritten too. That happens if and only if the last thought is among those
patched, so six break where five do not, and "end points" where "middle anchors" do not. Both ways
are run here. These models answer in one frame whatever happens, so what breaks is counted as any
answer that does not begin as answers do; gibberish, an answer without a number, is counted apart.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20, N-token ablation.
Differs: the leak is made on purpose, beside the same patches without it.
"""

import numpy as np
import pytest

from interp import patch, resid_post, think
from interp.outcomes import OUTCOMES
from interp.stats import mcnemar, proportion
from interp.thoughts import N_THOUGHTS, frame
from interp.transplants import both_correct, outcome_bars, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"
SETS = {"first five": range(5), "middle": (2, 3), "ends": (0, 1, 4, 5), "all six": range(6)}


@pytest.fixture(scope="module")
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, where both are answered."""
    test = word_problem_pairs.only(split="test")
    return both_correct(model, test, most=profile.pick(quick=60, full=400), at_least=60)


def leaking(site, donor, steps):
    """The patches, and the last of six that stays in force while the answer is given."""
    stays = patch(site, donor[site][N_THOUGHTS - 1], at="all").during("generated")
    last = N_THOUGHTS - 1 in steps
    return (*transplant(site, donor, steps), *([stays] if last else []))


@pytest.fixture(scope="module")
def said(model, pairs):
    """What corrupted questions are answered with thoughts patched, as they should be and as run."""
    site = resid_post(model.layer(0.9))
    donor = thoughts_of(model, pairs.clean, [site])
    found = {}
    for name, steps in SETS.items():
        for way, make in (("corrected", transplant), ("as run", leaking)):
            edits = make(site, donor, steps)
            found[way, name] = think(model, pairs.corrupted, *edits, dead_sites=True).texts
    return found


@pytest.mark.finding("codi.patching.leak", version=1, source=SOURCE)
def test_only_a_hook_that_stays_on_breaks_answers(model, pairs, said, measured, drawn):
    begins = frame(think(model, pairs.corrupted))
    broken = {
        key: np.array([not one.startswith(begins) for one in texts]) for key, texts in said.items()
    }
    for (way, name), each in broken.items():
        measured("broken", proportion(each), patched=name, way=way)
    bars = {f"{name}, {way}": pairs.outcomes(texts) for (way, name), texts in said.items()}
    worded = proportion(bars["all six, as run"].are("gibberish"))
    measured("gibberish_as_run", worded, published="s002.gpt2.N6.late")
    drawn("outcomes", outcome_bars("Thoughts patched at a late layer", "thoughts", bars))
    test = mcnemar(broken["as run", "all six"], broken["corrected", "all six"])
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01


@pytest.mark.finding("codi.patching.breaks-at-six", version=1, source=SOURCE)
def test_patching_all_six_thoughts_makes_gibberish(pairs, said, measured):
    found = {key: pairs.outcomes(texts) for key, texts in said.items()}
    for kind in OUTCOMES[:4]:
        about = f"s002.gpt2.late.N6.{kind}"
        share = proportion(found["as run", "all six"].are(kind))
        measured("share_as_run", share, published=about, outcome=kind)
        measured("share", proportion(found["corrected", "all six"].are(kind)), outcome=kind)
    six, five = (found["corrected", one].are("gibberish") for one in ("all six", "first five"))
    assert measured("mcnemar_p", mcnemar(six, five).p, n=len(pairs), unit="p") < 0.05
