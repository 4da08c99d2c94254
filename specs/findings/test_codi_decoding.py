"""Thoughts decode to the intermediate results of the reasoning that was never written.

The state at each thought, through the model's own head, is a guess at a word. A result of an early
step counts as found where it is among the five likeliest. Which thought shows which step differs
between models of one recipe, so it is chosen on half of the arithmetic and tested on the other;
the null asks the same thoughts for the results of permuted questions, with the same choice.

Source:  Shen et al. 2025, "CODI", arXiv:2502.21074v3, Section 5.1 and Table 3.
Differs: two metrics, any thought and a chosen one, for the paper does not say which it means; a
         null, for five guesses at a small number are often right; arithmetic no training saw.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.charts import HeatMap, Panel, floats
from interp.stats import average, halves, holm, proportion, rank_in_null
from interp.thought_lens import shown
from interp.thoughts import read_thoughts

pytestmark = [pytest.mark.on("tag:thoughts")]


@pytest.fixture(params=[2, 3])
def steps(request):
    """How many steps a question has; the last one's result is the answer."""
    return request.param


@pytest.fixture
def results(model, word_problems, word_problem_pairs, steps, profile):
    """What thoughts show of each early step's result, in questions that the model answers."""
    test = (word_problems if steps == 3 else word_problem_pairs).only(split="test", steps=steps)
    few = test.where(np.arange(len(test)) < profile.pick(quick=300, full=1200))
    asked = few.where(think(model, few).correct, at_least=60)
    lens = read_thoughts(model, think(model, asked, capture=[resid_post(model.layer("last"))]))
    words = zip(*(str(one.labels["results"]).split() for one in asked.prompts), strict=True)
    return asked, [shown(model, lens, each) for each in words]


def grid(results, n):
    """How often each thought shows each result: of its own question, and of permuted ones."""
    null = [np.mean([one.hits for one in each.permuted(100, seed=1)], axis=0) for each in results]
    cells = {"own": [each.hits for each in results], "permuted": null}
    panels = [
        Panel(name, tuple(floats(one.mean(axis=0)) for one in each)) for name, each in cells.items()
    ]
    columns = ("begin", *map(str, range(results[0].hits.shape[1] - 1)))
    note = f"n = {n} questions; among the five likeliest tokens."
    rows = tuple(f"step {step + 1}" for step in range(len(results)))
    across = ("thought", "result", columns, rows, "share of questions")
    return HeatMap("Results that thoughts show", note, *across, tuple(panels))


def beyond(measured, share, own, null, **labels):
    """How often a result is shown beside how often a permuted one is, and the rank of that."""
    ours, theirs = share(own), np.array([share(one).mean() for one in null])
    measured("shown", proportion(ours), results="own", **labels)
    measured("shown", float(np.median(theirs)), results="permuted", n=len(theirs), **labels)
    return rank_in_null(float(ours.mean()), theirs).p


@pytest.mark.finding("codi.thoughts-decode", version=2, source="arXiv:2502.21074v3, Table 3")
def test_thoughts_show_each_intermediate_result(results, steps, measured, drawn, profile):
    (asked, each), p_values = results, []
    drawn("results", grid(each, len(asked)))
    found = average(np.mean([one.by_any for one in each], axis=0))
    measured("all_results", found, published=f"codi.table3.{steps}_step")
    chosen, _ = halves(asked.groups, seed=0)
    metrics = {"any": lambda one: one.by_any, "chosen": lambda one: one.by_chosen(chosen)}
    for step, own in enumerate(each):
        null = list(own.permuted(profile.pick(quick=500, full=2000), seed=step))
        for metric, share in metrics.items():
            p_values.append(beyond(measured, share, own, null, metric=metric, step=step))
    assert measured("worst_p", float(holm(p_values).max()), n=len(asked), unit="p") < 0.01
