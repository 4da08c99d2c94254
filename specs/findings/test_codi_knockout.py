"""The answer reads thoughts through attention: hide one, and it is missed.

A thought is hidden from the answer, or from everything that follows it; it is still made, and still
makes the next one. The thought whose hiding costs most is chosen on half of the questions and tested
on the other. The null hides a token of the question instead: its first word, or the token that
begins the thoughts.

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
PLACES = {**TOKENS, **{str(step): thought(step) for step in STEPS}}


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


@pytest.fixture
def hits(model, questions):
    """Which questions are answered with each place hidden, for each of two who do not see it."""
    found = {}
    for sight in ("the answer", "all that follows"):
        for name, place in PLACES.items():
            thoughts = sight != "the answer" and name != str(N_THOUGHTS - 1)
            edits = hidden(model, place, thoughts=thoughts)
            found.setdefault(sight, {})[name] = think(
                model, questions, *edits, dead_sites=True
            ).correct
    return found


@pytest.mark.finding("codi.thoughts-attended", version=1, source=SOURCE)
def test_an_answer_misses_a_hidden_thought(model, questions, hits, measured, drawn):
    measured("accuracy", proportion(think(model, questions).correct), hidden="nothing")
    chosen, tested = halves(questions.groups, seed=0)
    shares, p_values = {}, []
    for sight, each in hits.items():
        shares[sight] = {int(n): proportion(each[n]) for n in map(str, STEPS)}
        costliest = min(map(str, STEPS), key=lambda n: each[n][chosen].sum())
        for name, right in each.items():
            measured("accuracy", proportion(right), hidden=name, sight=sight)
        p_values += [mcnemar(each[name][tested], each[costliest][tested]).p for name in TOKENS]
    drawn("hidden", estimate_curves("One thought hidden", "thought", shares, up="share answered"))
    p = measured("worst_p", float(holm(p_values).max()), n=int(tested.sum()), unit="p")
    assert p < 0.01
