"""Two engines, one set of weights: the same logits, sites and greedy tokens, up to rounding.

The bite: a site of the layer above is far away.

Source: mlx-lm #953, a rope that one of two engines lost without a word.
Differs: for Gemma 3 and GPT-NeoX mlx-lm rounds a scale and a GELU: 2e-3 there (docs/mlx.md).
"""

from itertools import pairwise

import numpy as np
import pytest

from interp import generate, relative_error, resid_post, run
from interp.sites import SITE_NAMES, WITHOUT_LAYER, Site

pytestmark = [pytest.mark.calibration]


def sites_of(*models):
    """Every site that all of these models can capture."""
    refused = {"head_out", "logits", "thought"}.union(*(one.backend.info.refused for one in models))
    names = [name for name in SITE_NAMES if name not in refused]
    everywhere = [Site(name) for name in names if name in WITHOUT_LAYER]
    layered = [name for name in names if name not in WITHOUT_LAYER]
    return everywhere + [Site(name, layer) for name in layered for layer in models[0].layers]


def test_logits_and_every_site_are_the_same(model, other, mixed_lengths, tolerance, measured):
    sites = sites_of(model, other)
    ours, theirs = (run(m, mixed_lengths, capture=sites, logits_at="all") for m in (model, other))
    errors = {str(site): relative_error(ours[site], theirs[site]) for site in sites}
    worst = max(errors, key=errors.get)
    logits = measured("logits", float(np.nanmax(np.abs(ours.logits - theirs.logits))), unit="logit")
    measured("worst_site", errors[worst], site=worst)
    assert logits < tolerance * max(1, float(np.nanmax(np.abs(theirs.logits))))
    assert errors[worst] < tolerance


def test_a_site_of_the_layer_above_is_something_else(model, other, mixed_lengths, tolerance):
    sites = [resid_post(layer) for layer in model.layers]
    ours, theirs = (run(m, mixed_lengths, capture=sites) for m in (model, other))
    for below, above in pairwise(sites):
        assert relative_error(ours[below], theirs[above]) > 2 * tolerance


def test_greedy_tokens_are_the_same(model, other, mixed_lengths):
    ours, theirs = (generate(m, mixed_lengths, max_new_tokens=6).new_ids for m in (model, other))
    assert ours == theirs
