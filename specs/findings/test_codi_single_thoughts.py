"""Some thoughts are needed one by one: each is replaced while the other five stay.

One thought is replaced by nothing, by its mean, by a random vector as long, or by that of another
question. The thoughts after it are made anew from what is left, so a thought that later ones can do
without costs nothing. The one that costs most is chosen on half of the questions and tested on the
other.

Source:  Shen et al. 2025, "CODI", arXiv:2502.21074v3; "LLaMA vs GPT-2 Activation Patching
         Comparison", 2025-10-20, whose question of critical positions is left open.
Differs: every thought by itself, four ways; exact McNemar with Holm over the ways.
"""

import numpy as np
import pytest

from interp import fed, think
from interp.charts import HeatMap, Panel, floats
from interp.norms import noise_like
from interp.stats import halves, holm, mcnemar, proportion
from interp.thought_sweeps import think_sweep
from interp.thoughts import N_THOUGHTS
from interp.transplants import mean_like, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "CODI, arXiv:2502.21074v3, and LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"
STEPS = range(N_THOUGHTS)


@pytest.fixture
def questions(word_problems, profile):
    """Questions whose arithmetic no training saw."""
    test = word_problems.only(split="test")
    return test.where(np.arange(len(test)) < profile.pick(quick=200, full=1200))


def right(thinking):
    """Which questions are answered."""
    return thinking.correct


def chart(hits, n):
    """The share answered with each thought replaced in each way."""
    cells = tuple(floats(each.mean(axis=1)) for each in hits.values())
    note = f"n = {n} questions a cell."
    columns = tuple(map(str, STEPS))
    across = ("thought", "replaced by", columns, tuple(hits), "share answered")
    return HeatMap("One thought replaced", note, *across, (Panel("", cells),))


@pytest.fixture
def hits(model, questions):
    """Which questions are answered with each thought replaced, way by way: [thought, batch]."""
    own = thoughts_of(model, questions, [fed()])
    ways = {"zero": {fed(): 0 * own[fed()]}, "mean": mean_like(own)}
    ways |= {"noise": noise_like(own, seed=0), "other": {fed(): np.roll(own[fed()], 1, axis=1)}}
    edits = [transplant(fed(), donor, [step]) for donor in ways.values() for step in STEPS]
    found = think_sweep(model, questions, edits, read=right).values
    return dict(zip(ways, found.reshape(len(ways), N_THOUGHTS, -1), strict=True))


@pytest.mark.finding("codi.thoughts-needed-singly", version=1, source=SOURCE)
def test_some_thought_cannot_be_spared(model, questions, hits, measured, drawn):
    drawn("ways", chart(hits, len(questions)))
    plain, p_values = think(model, questions).correct, []
    measured("accuracy", proportion(plain), replaced="none")
    chosen, tested = halves(questions.groups, seed=0)
    for way, each in hits.items():
        for step in STEPS:
            measured("accuracy", proportion(each[step]), replaced=way, thought=step)
        costliest = each[each[:, chosen].mean(axis=1).argmin()]
        p_values.append(mcnemar(plain[tested], costliest[tested]).p)
    p = measured("worst_p", float(holm(p_values).max()), n=int(tested.sum()), unit="p")
    assert p < 0.01
