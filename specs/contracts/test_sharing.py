"""A sweep that shares work gives the numbers of its runs one by one, and says how it was computed.

What a cell takes over from its prompt is what the prompt has below the first edited layer and
before the first edited position; everything else is its own. A cell that takes over more gives the
unedited run's numbers, or another prompt's, and every grid looks flatter than it is. The bite: the
cells of these grids differ from the unedited run and from each other.

Source: contract of `interp.sweep`; the causal cone of an edit in a decoder-only model.
"""

from operator import attrgetter

import numpy as np
import pytest

from interp import (
    patch,
    random_direction,
    relative_error,
    resid_post,
    resid_pre,
    rounding,
    run,
    steer,
    sweep,
    z,
)
from interp.auditing import shortfall

pytestmark = [pytest.mark.contract("sweep")]
next_logits = attrgetter("next_logits")


def dose(model, layer, alpha, at="all"):
    """A variant that pushes along a direction of the layer's own."""
    site = resid_post(layer)
    push = random_direction(model, site, seed=layer)
    return (steer(site, push, alpha=alpha, at=at, unit="median_norm"),)


@pytest.fixture(params=["e1", "last", "all"])
def variants(model, mixed_lengths, request):
    """Each kind of edit at each layer, at one position: another prompt's state, a push, a head."""
    layers = model.layers[::2]
    sites = [site(layer) for layer in layers for site in (resid_pre, z)]
    given = run(model, mixed_lengths, capture=sites)
    others = [(site, np.roll(given[site], by, axis=0)) for site in sites for by in (1, 2)]
    patches = [(patch(site, np.nan_to_num(it), at=request.param),) for site, it in others]
    return [(), *patches, *(dose(model, layer, 1.0, request.param) for layer in layers)]


def test_what_is_shared_equals_what_is_not(model, mixed_lengths, variants):
    grid = sweep(model, mixed_lengths, variants, read=next_logits)
    plain = np.stack([next_logits(run(model, mixed_lengths, *variant)) for variant in variants])
    assert "differs" not in str(grid.rung)
    assert relative_error(grid.values, plain) < rounding(model)
    assert (np.abs(plain[1:] - plain[0]).max(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize("phase", ["all", "prompt", "generated"])
def test_each_new_token_is_the_likeliest_of_a_plain_pass(model, mixed_lengths, phase):
    cells = [(layer, alpha) for layer in model.layers[::2] for alpha in (0.0, 1.0, 4.0)]
    variants = [(dose(model, *cell)[0].during(phase),) for cell in cells]
    told = []
    sweep(
        model, mixed_lengths, variants, max_new_tokens=4,
        read=lambda one: told.append(one.new_ids) or np.zeros(len(one.new_ids)),
    )  # fmt: skip
    short = [shortfall(model, mixed_lengths, *one) for one in zip(variants, told, strict=True)]
    assert np.max(short) <= 2 * rounding(model)
    assert len(set(told)) > 1


def test_the_ledger_of_a_grid_is_that_of_its_runs(model, mixed_lengths, variants):
    grid = sweep(model, mixed_lengths, variants, read=next_logits)
    for ledger, variant in zip(grid.ledgers, variants, strict=True):
        for ours, plain in zip(ledger, run(model, mixed_lengths, *variant).ledger, strict=True):
            assert (ours.fired, ours.positions) == (plain.fired, plain.positions)
            assert abs(ours.delta_norm - plain.delta_norm) <= 20 * rounding(model) * plain.site_norm
