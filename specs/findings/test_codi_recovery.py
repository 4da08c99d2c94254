"""Which thoughts move the answer's logit from the corrupted question's to the clean one's.

First, last or randomly chosen thoughts of the clean question are put into the corrupted one. The
logit of the clean answer less that of the corrupted one, just before the number, is 0 recovered in
the corrupted run and 1 in the clean run. The same thoughts of an unrelated question, of one with
the same answer, their mean and vectors of noise as long say what any replacement does. The claim is
about three thoughts: half of them.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20.
Differs: logits beside answers, so that pairs which do not tip over count too; a mean of shifts over
         the mean gap, for single gaps can be near zero; exact sign tests with Holm.
"""

import numpy as np
import pytest

from interp import fed, think
from interp.metrics import logit_difference
from interp.stats import average, holm, sign_test
from interp.thoughts import N_THOUGHTS, frame
from interp.transplants import both_correct, donors_of, estimate_curves, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"
COUNTS = range(1, N_THOUGHTS + 1)
HALF = 3
STEPS = np.arange(N_THOUGHTS)
ORDERS = {"first": STEPS, "last": STEPS[::-1], "random": np.random.default_rng(0).permutation(6)}


@pytest.fixture(scope="module")
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, both answered, with another question of the clean answer."""
    test = word_problem_pairs.only(split="test")
    both = both_correct(model, test, most=profile.pick(quick=150, full=400), at_least=60)
    return both.with_namesakes(test)


@pytest.fixture(scope="module")
def donors(model, pairs, word_problem_pairs):
    """What is put in: the clean question's thoughts, and four that say nothing of its numbers."""
    return donors_of(model, pairs, word_problem_pairs.only(split="test"), fed())


def gap(logits, corrupted):
    """The clean answer's logit less the corrupted one's, before the number."""
    return logit_difference(logits, corrupted.foils, corrupted.answers)


@pytest.fixture
def recovered(model, pairs, donors, which, profile):
    """How much of the gap N thoughts of each donor recover, in each pair: {donor: {N: [batch]}}."""
    said = frame(think(model, pairs.clean))
    clean, corrupted = (think(model, one, said=said) for one in (pairs.clean, pairs.corrupted))
    questions, found = corrupted.encoded, {}
    low, high = gap(corrupted.next_logits, questions), gap(clean.next_logits, questions)
    for name, donor in donors.items():
        counts = COUNTS if name == "own" else profile.pick(quick=(HALF, N_THOUGHTS), full=COUNTS)
        edits = [transplant(fed(), donor, ORDERS[which][:n]) for n in counts]
        after = [gap(logits, questions) for logits in pairs.logits(model, edits, said=said)]
        shares = (np.array(after) - low) / (high - low).mean()
        found[name] = dict(zip(counts, shares, strict=True))
    return found


@pytest.mark.finding("codi.patching.recovery", version=2, source=SOURCE)
@pytest.mark.parametrize("which", ORDERS)
def test_three_clean_thoughts_recover_the_clean_logit(recovered, measured, drawn, which):
    lines = {
        name: {n: average(each) for n, each in by_count.items()}
        for name, by_count in recovered.items()
    }
    for name, line in lines.items():
        for n, share in line.items():
            measured("recovered", share, thoughts=n, donor=name)
    title = f"Logit recovered, {which} thoughts"
    drawn("donors", estimate_curves(title, "thoughts patched", lines, up="recovered"))
    own, *controls = (by_count[HALF] for by_count in recovered.values())
    p = holm([sign_test(own - one).p for one in controls])
    assert measured("holm_p", float(p.max()), n=len(own), unit="p") < 0.01
