"""A planted direction is found; without one, the computed direction is as good as a random one.

Planted: a known vector is added to half of the runs. The mean difference must point along it and
both halves of the data must agree. Null: two halves of one kind of prompt have no contrast, so
their mean difference must fall inside its label-shuffled null.

Source: positive control for Arditi et al. 2024, arXiv:2406.11717.
"""

import numpy as np
import pytest

from interp import contrast, random_direction, resid_post, run, steer
from interp.directions import Contrast
from interp.stats import rank_in_null

pytestmark = [pytest.mark.calibration, pytest.mark.parametrize("depth", ["middle", "last"])]


@pytest.fixture
def harmless(refusal):
    """Requests of one kind, in one language."""
    return refusal.only(split="train", language="en", kind="harmless")


def test_a_planted_direction_is_found(model, harmless, depth):
    site = resid_post(model.layer(depth))
    planted = random_direction(model, site, seed=0)
    push = steer(site, planted, unit="median_norm", at="last")
    values = [run(model, harmless, *edits, capture=[site])[site, "last"] for edits in ([push], [])]
    found = Contrast(values[0], values[1], site, model.fingerprint)
    assert found.direction.cosine(planted) > 0.999
    assert found.agreement(seed=0) > 0.9


def test_two_halves_of_one_kind_have_no_direction(model, harmless, depth):
    site = resid_post(model.layer(depth))
    even = np.arange(len(harmless)) % 2 == 0
    halves = harmless.where(even), harmless.where(~even)
    found = contrast(model, *halves, site=site)
    null = found.shuffled_norms(200, seed=0)
    assert rank_in_null(found.direction.norm, null).p > 0.01
