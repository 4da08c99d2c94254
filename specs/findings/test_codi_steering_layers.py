"""At some layer steering towards wrong answers lowers accuracy more than shuffled labels do.

The best of so many layers is a best of so many tries, so each set of shuffled labels has them too:
its directions at every layer, and its own best layer.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, alternative layers; the three layers of
         the same on LLaMA-3.2-1B.
Differs: each layer is steered at itself; doses in norms of the site; label-shuffled directions with
         the same tries.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.charts import HeatMap, Panel, floats
from interp.stats import proportion, rank_in_null
from interp.thought_steering import labelled, right_answers, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21"
ALPHAS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
DOSE = ALPHAS.index(-1.0)


@pytest.fixture
def layers(model, profile):
    """The layers whose values at the last thought are read: all of them, or every second."""
    return list(model.layers[:-1])[:: profile.pick(quick=2, full=1)]


@pytest.fixture
def arms(model, word_problems, profile, layers):
    """Who is right at each layer: at every dose of the direction, and at one of shuffled ones."""
    test = word_problems.only(split="test")
    asked = test.where(np.arange(len(test)) < profile.pick(quick=480, full=1200))
    plain = think(model, asked, capture=[*map(resid_post, layers)])
    known = labelled(plain, held=profile.pick(quick=80, full=200))
    own, null = [], []
    for site in map(resid_post, layers):
        found = thought_contrast(model, plain, site, known.right, known.wrong)
        shuffled = found.shuffled(profile.pick(quick=20, full=100))
        pushes = [found.push(found.own, alpha, unit="median_norm") for alpha in ALPHAS]
        pushes += [found.push(one, ALPHAS[DOSE], unit="median_norm") for one in shuffled]
        hits = right_answers(model, plain.prompts.where(known.held), pushes)
        own.append(hits[: len(ALPHAS)])
        null.append(hits[len(ALPHAS) :].mean(axis=1))
    return np.array(own), np.array(null)


def chart(layers, own):
    """Who is right by layer and dose."""
    cells = tuple(floats(row) for row in own.mean(axis=2))
    note = f"n = {own.shape[2]} questions, half of them answered rightly without an edit."
    across = "alpha (1 = the median norm of the site)"
    columns, rows = tuple(f"{alpha:+g}" for alpha in ALPHAS), tuple(map(str, layers))
    panels = (Panel("direction", cells),)
    return HeatMap("Accuracy", note, across, "layer", columns, rows, "share right", panels)


@pytest.mark.finding("codi.steering.layers", version=1, source=SOURCE)
def test_the_best_layer_beats_the_best_layers_of_shuffled_labels(layers, arms, measured, drawn):
    own, null = arms
    for layer, hits in zip(layers, own, strict=True):
        measured("accuracy", proportion(hits[DOSE]), layer=layer, alpha=ALPHAS[DOSE])
    drawn("layers", chart(layers, own))
    best = own[:, DOSE].mean(axis=1).min()
    rank = rank_in_null(best, null.min(axis=0), tail="less")
    measured("best_of_shuffled", float(np.median(null.min(axis=0))), n=rank.n)
    assert measured("rank_p", rank.p, n=rank.n, unit="p") < 0.05
