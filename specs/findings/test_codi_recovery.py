"""Which thoughts move the answer's logit from the corrupted question's to the clean one's.

First, last or randomly chosen thoughts of the clean question are put into the corrupted one. The
logit of the clean answer less that of the corrupted one, just before the number, is 0 recovered in
the corrupted run and 1 in the clean run. The same thoughts of an unrelated question, their mean and
vectors of noise as long say what any replacement does.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20.
Differs: logits beside answers, so that pairs which do not tip over count too; a mean of shifts over
         the mean gap, for single gaps can be near zero; exact sign tests with Holm.
"""

import numpy as np
import pytest

from interp import fed, patch, think, thought
from interp.metrics import logit_difference
from interp.stats import average, holm, sign_test
from interp.thoughts import N_THOUGHTS, frame

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


@pytest.fixture
def donors(model, pairs):
    """What is put in, at each thought: the clean question's, and three that say nothing of it."""
    runs = [think(model, one, capture=[fed()]) for one in (pairs[0], pairs[0].derange(seed=0))]
    own, unrelated = ([one[fed(), thought(step)] for step in range(N_THOUGHTS)] for one in runs)
    noise = np.random.default_rng(0).normal(size=np.shape(own))
    noise *= np.linalg.norm(own, axis=2, keepdims=True) / np.linalg.norm(noise, axis=2)[..., None]
    mean = np.broadcast_to(np.mean(own, axis=1, keepdims=True), np.shape(own))
    return {"own": own, "unrelated": unrelated, "mean": mean, "noise": noise}


def gap(model, said, questions, edits=(), *, sign):
    """The clean answer's logit less the corrupted one's, before the number."""
    thinking = think(model, questions, *edits, said=said)
    encoded = thinking.encoded
    return sign * logit_difference(thinking.next_logits, encoded.answers, encoded.foils)


@pytest.mark.finding("codi.patching.recovery", version=1, source=SOURCE)
@pytest.mark.parametrize("which", ["first", "last", "random"])
def test_clean_thoughts_recover_the_clean_logit(model, pairs, donors, measured, which):
    said = frame(think(model, pairs[0]))
    low, high = gap(model, said, pairs[1], sign=-1), gap(model, said, pairs[0], sign=1)
    order = {"first": np.arange(6), "last": np.arange(6)[::-1]}
    steps = order.get(which, np.random.default_rng(0).permutation(6))
    for n in range(1, N_THOUGHTS + 1):
        shifts = {}
        for donor, values in donors.items():
            edits = [patch(fed(), values[i].astype(np.float32), at=thought(i)) for i in steps[:n]]
            shifts[donor] = (gap(model, said, pairs[1], edits, sign=-1) - low) / (high - low).mean()
            measured("recovered", average(shifts[donor]), thoughts=n, donor=donor)
    p = holm([sign_test(shifts["own"] - shifts[one]).p for one in ("unrelated", "mean", "noise")])
    assert measured("holm_p", float(p.max()), n=len(low), unit="p") < 0.01
