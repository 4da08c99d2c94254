"""The answer reads thoughts through attention: hide one, and it is missed.

A thought is hidden from the answer, or from everything that follows it; it is still made, and still
makes the next one. The thought whose hiding costs most is chosen on half of the questions and
tested on the other. The null hides a token of the question instead: its first word, or the token
that begins the thoughts. The bite hides all six.

Source:  attention knockout of Geva et al. 2023, "Dissecting Recall", arXiv:2304.14767, at the
         thoughts of Shen et al. 2025, "CODI", arXiv:2502.21074v3.
Differs: an edge is left out of the softmax, in every block; two tokens as the null.
"""

import numpy as np
import pytest

from interp import all_thoughts, block_attention, think, thought
from interp.stats import halves, holm, mcnemar, proportion
from interp.thoughts import N_THOUGHTS
from interp.transplants import estimate_curves

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "attention knockout, arXiv:2304.14767, at the thoughts of CODI, arXiv:2502.21074v3"
STEPS = range(N_THOUGHTS)
TOKENS = {"first word": "first", "beginning": "last"}
THOUGHTS = {str(step): thought(step) for step in STEPS}
PLACES = {**TOKENS, **THOUGHTS, "all six": all_thoughts()}


@pytest.fixture
def questions(word_problems, profile):
    """Questions whose arithmetic no training saw."""
    test = word_problems.only(split="test")
    return test.where(np.arange(len(test)) < profile.pick(quick=120, full=1200))


def hidden(model, to, *, thoughts):
    """Something hidden from the answer, in every block, and from the thoughts after it if asked."""
    layers = range(model.n_layers)
    answer = [block_attention(layer, to=to).during("generated") for layer in layers]
    later = [block_attention(layer, at=all_thoughts(), to=to) for layer in layers]
    return [*answer, *later] if thoughts else answer


@pytest.fixture(params=["answer", "all that follows"])
def sight(request):
    """Who does not see what is hidden."""
    return request.param


@pytest.fixture
def hits(model, questions, sight):
    """Which questions are answered with each place hidden from what follows it."""
    found = {}
    for name, place in PLACES.items():
        # What follows the last thought is the answer alone.
        thoughts = sight != "answer" and name != str(N_THOUGHTS - 1)
        edits = hidden(model, place, thoughts=thoughts)
        found[name] = think(model, questions, *edits, dead_sites=True).correct
    return found


@pytest.mark.finding("codi.thoughts-attended", version=1, source=SOURCE)
def test_a_hidden_thought_is_missed(model, questions, hits, measured, drawn):
    plain = think(model, questions).correct
    for name, each in {"nothing": plain, **hits}.items():
        measured("accuracy", proportion(each), hidden=name)
    bite = measured("all_six_p", mcnemar(plain, hits["all six"]).p, n=len(plain), unit="p")
    shares = {step: proportion(hits[str(step)]) for step in STEPS}
    lines = {"one thought hidden": shares}
    drawn("hidden", estimate_curves("Answered with one thought hidden", "thought", lines))
    chosen, tested = halves(questions.groups, seed=0)
    costliest = min(map(str, STEPS), key=lambda n: hits[n][chosen].sum())
    p = holm([mcnemar(hits[name][tested], hits[costliest][tested]).p for name in TOKENS])
    assert bite < 0.01
    assert measured("worst_p", float(p.max()), n=int(tested.sum()), unit="p") < 0.01
