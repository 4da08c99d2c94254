"""What one engine decodes from shared prompts, the other finds likeliest in plain passes.

The bite: other doses give other tokens, and another row's tokens fall short.

Source: contract of `interp.sweep`; the causal cone of an edit in a decoder-only model.
Differs: for Gemma 3 and GPT-NeoX mlx-lm rounds a scale and a GELU: 2e-3 there (docs/mlx.md).
"""

import numpy as np
import pytest

from interp import random_direction, resid_post, rounding, steer, sweep
from interp.auditing import shortfall

pytestmark = [pytest.mark.calibration]


@pytest.fixture
def variants(model):
    """A push at each layer, on every token of the prompt and after it."""
    sites = [resid_post(layer) for layer in model.layers]
    along = [random_direction(model, site, seed=site.layer) for site in sites]
    return [(steer(site, d, unit="median_norm"),) for site, d in zip(sites, along, strict=True)]


def test_tokens_of_a_sweep_are_the_likeliest_elsewhere(
    model, other, mixed_lengths, variants, tolerance
):
    told = []
    grid = sweep(
        other, mixed_lengths, variants, max_new_tokens=4,
        read=lambda one: told.append(one.new_ids) or np.zeros(len(one.new_ids)),
    )  # fmt: skip
    short = [shortfall(model, mixed_lengths, *one) for one in zip(variants, told, strict=True)]
    wrong = shortfall(model, mixed_lengths, variants[0], told[0][::-1])
    assert "differs" not in str(grid.rung)
    assert np.max(short) <= 2 * tolerance
    assert np.max(wrong) > 100 * rounding(model)
