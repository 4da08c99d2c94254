"""Thoughts decode to the intermediate results of the reasoning that was never written.

The state at each thought, through the model's own head, is a guess at a word. A result of an early
step counts as found where it is among the five likeliest. Which thought shows which step differs
between models of one recipe, so it is chosen on half of the arithmetic and tested on the other;
the null has the results of another question, at the same thought, with the same choice.

Source:  Shen et al. 2025, "CODI", arXiv:2502.21074v3, Section 5.1 and Table 3.
Differs: two metrics, any thought and a chosen one, for the paper does not say which it means; a
         null, for five guesses at a small number are often right; arithmetic no training saw.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.stats import halves, mcnemar, proportion
from interp.thoughts import read_thoughts, spellings

pytestmark = [pytest.mark.on("tag:thoughts")]
TOP = 5


@pytest.fixture
def answered(model, word_problems, profile):
    """Three-step questions that the model answers."""
    test = word_problems.only(split="test", steps=3)
    few = test.where(np.arange(len(test)) < profile.pick(quick=300, full=1200))
    return few.where(think(model, few).correct, at_least=60)


def found(model, questions, lens, step):
    """Whether each thought's five likeliest words hold the step's result: bool [batch, thought]."""
    results = [str(one.labels["results"]).split()[step] for one in questions.prompts]
    best = np.argsort(-lens, axis=-1)[..., :TOP]
    rows = zip(best, results, strict=True)
    return np.stack([np.isin(row, spellings(model, result)).any(axis=-1) for row, result in rows])


@pytest.mark.finding("codi.thoughts-decode", version=1, source="arXiv:2502.21074v3, Table 3")
@pytest.mark.parametrize("step", [0, 1])
def test_a_thought_shows_each_intermediate_result(model, answered, measured, step):
    site = resid_post(model.layer("last"))
    lens = read_thoughts(model, think(model, answered, capture=[site]))
    chosen, tested = halves(answered.groups, seed=0)
    sides = []
    for name, states in {"own": lens, "other": np.roll(lens, 1, axis=0)}.items():
        hits = found(model, answered, states, step)
        best = int(hits[chosen].mean(axis=0).argmax())
        sides.append(hits[tested, best])
        measured("any_thought", proportion(hits.any(axis=1)), results=name)
        measured("chosen_thought", proportion(sides[-1]), results=name, thought=best)
    assert measured("mcnemar_p", mcnemar(*sides).p, n=int(tested.sum()), unit="p") < 0.001
