"""Pushes at different layers do different things, by more than different pushes at one layer do.

Layers differ in how long their values are, so one length is another dose at each of them, and
differs for that alone. In norms of the site a dose is the same everywhere. And one vector a layer
says nothing: two vectors at one layer differ as well. So several are drawn at each layer, and the
layers must differ by more than they do when the draws are dealt to them at random.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, test 0.1; as
         written in `validation.steering.as-written`.
Differs: divergence of the next token on many prompts, doses relative, and a permutation test.
"""

import numpy as np
import pytest

from interp import random_direction, resid_post, run, steer, sweep
from interp.charts import Curves, Line, Plot
from interp.grids import Variants
from interp.metrics import kl_divergence
from interp.stats import average, rank_in_null

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27, test 0.1"


@pytest.fixture
def shifts(model, country_capitals, profile):
    """How far random pushes of half a site's norm move the output: KL [layer, draw, prompt]."""
    asked = country_capitals.only(split="test")
    asked = asked.where(np.arange(len(asked)) < profile.pick(quick=24, full=len(asked)))
    plain, pushes = run(model, asked).next_logits, {}
    for layer in model.layers:
        for draw in range(profile.pick(quick=8, full=40)):
            one = random_direction(model, resid_post(layer), seed=100 * draw + layer)
            pushes[layer, draw] = (steer(one.site, one, alpha=0.5, unit="median_norm"),)
    each = Variants(("layer", "draw"), pushes)
    return sweep(model, asked, each, read=lambda done: kl_divergence(plain, done.next_logits)).table


@pytest.mark.finding("validation.steering.layers-differ", version=1, source=SOURCE)
def test_layers_differ_by_more_than_random_directions_do(shifts, measured, drawn):
    by_draw = shifts.mean(axis=2)
    kl = [measured("kl", average(row), unit="nats", layer=n) for n, row in enumerate(by_draw)]
    plots = (Plot("KL, nats", (Line.of("random push", range(len(kl)), kl),)),)
    note = f"{shifts.shape[1]} random directions of half the site's norm; bars: 95 %."
    drawn("layers", Curves("How far a push moves the output", note, "layer", plots))
    order = np.random.default_rng(0)
    null = [order.permuted(by_draw, axis=None).mean(axis=1).var() for _ in range(999)]
    p = rank_in_null(by_draw.mean(axis=1).var(), null).p
    assert measured("permutation_p", p, n=len(null), unit="p") < 0.01
