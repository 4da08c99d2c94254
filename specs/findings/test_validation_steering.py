"""A large push changes the output more than size does, and layers differ by more than draws do.

Any vector that is long enough changes the output, so the computed refusal direction must change
more answers than random ones as long do; eight times as long, random ones change them too. And
layers differ in how long their values are, so one length is another dose at each: here doses are
in norms of the site, and layers must differ by more than random directions at one layer do.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, test 0.1; as
         written in `validation.steering.as-written`, exactly in the contract on alpha 0.
Differs: rank among 100 random directions, at a layer chosen on training requests; layers permuted
         against draws.
"""

import numpy as np
import pytest

from interp import dose_response, random_direction, resid_post, run, steer, sweep
from interp.charts import Curves, Line, Plot
from interp.directions import contrasts
from interp.grids import Variants
from interp.metrics import kl_divergence
from interp.readers import likeliest
from interp.stats import average, proportion, rank_in_null

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27, test 0.1"
LARGE, SMALL = -8.0, 0.5


@pytest.fixture
def found(model, refusal):
    """The refusal direction, at the layer where undoing it changes most answers in training."""
    train = refusal.only(split="train", language="en")
    kinds = [train.only(kind=kind) for kind in ("harmful", "harmless")]
    each = contrasts(model, *kinds, sites=[resid_post(layer) for layer in model.layers])
    less = [(steer(one.site, one.direction, alpha=-1.0),) for one in each]
    changed = sweep(model, kinds[0], less, read=likeliest).values != run(model, kinds[0]).likeliest
    return each[changed.mean(axis=1).argmax()].direction


@pytest.fixture
def doses(model, refusal, found, profile):
    """Whose answers change with the direction subtracted, and with random ones as long."""
    asked = refusal.only(split="test", language="en", kind="harmful")
    asked = asked.where(np.arange(len(asked)) < profile.pick(quick=26, full=len(asked)))
    plain, alphas = run(model, asked).likeliest, (LARGE, -1.0)
    return dose_response(
        model,
        asked,
        found,
        controls=found.random(100, seed=0),
        alphas=alphas,
        read=lambda steered: steered.likeliest != plain,
    )


@pytest.mark.finding("validation.steering.more-than-size", version=1, source=SOURCE)
def test_a_direction_changes_more_answers_than_random_ones_as_long(doses, measured, drawn):
    drawn("doses", doses.chart("answered otherwise"))
    shares = doses.controls.mean(axis=2).T
    for alpha, hits, null in zip(doses.alphas, doses.direction, shares, strict=True):
        measured("changed", proportion(hits).needs(25), alpha=float(alpha))
        measured("changed_by_random", float(np.median(null)), n=len(null), alpha=float(alpha))
    rank = rank_in_null(doses.direction[1].mean(), shares[1])
    assert measured("rank_p", rank.p, n=rank.n, unit="p") < 0.01


@pytest.fixture
def shifts(model, country_capitals, profile):
    """How far random pushes of half a site's norm move the output: mean KL [layer, draw]."""
    asked = country_capitals.only(split="test")
    asked = asked.where(np.arange(len(asked)) < profile.pick(quick=24, full=len(asked)))
    plain, pushes = run(model, asked).next_logits, {}
    for layer in model.layers:
        for draw in range(profile.pick(quick=8, full=40)):
            one = random_direction(model, resid_post(layer), seed=100 * draw + layer)
            pushes[layer, draw] = (steer(one.site, one, alpha=SMALL, unit="median_norm"),)
    each = Variants(("layer", "draw"), pushes)
    moved = sweep(model, asked, each, read=lambda run: kl_divergence(plain, run.next_logits))
    return moved.table.mean(axis=2)


@pytest.mark.finding("validation.steering.layers-differ", version=1, source=SOURCE)
def test_layers_differ_by_more_than_random_directions_do(shifts, measured, drawn):
    kl = [measured("kl", average(row), unit="nats", layer=n) for n, row in enumerate(shifts)]
    plots = (Plot("KL, nats", (Line.of("random push", range(len(kl)), kl),)),)
    note = f"{shifts.shape[1]} random directions of half the site's norm; bars: 95 %."
    drawn("layers", Curves("How far a push moves the output", note, "layer", plots))
    order = np.random.default_rng(0)
    null = [order.permuted(shifts, axis=None).mean(axis=1).var() for _ in range(999)]
    rank = rank_in_null(shifts.mean(axis=1).var(), null)
    assert measured("permutation_p", rank.p, n=rank.n, unit="p") < 0.01
