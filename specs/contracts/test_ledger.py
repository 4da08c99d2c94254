"""The ledger says what happened: the change that rounding left, and what was there before.

Measured once more from outside, with captures: of a dose so small that the model's dtype loses part
of it, and at a site so large that squares in half precision would overflow.

Source: contract of `Run.ledger`; float16 norms that end at 256: transformers #39972.
"""

import numpy as np
import pytest

from interp import random_direction, resid_post, rounding, run, steer

pytestmark = [pytest.mark.contract]


def median_norm(values):
    """The median length of the values of a batch."""
    return float(np.median(np.linalg.norm(values.astype(np.float64), axis=-1)))


@pytest.mark.parametrize("dose", ["small", "whole"])
def test_norms_are_those_of_the_change_and_of_what_was_there(model, mixed_lengths, dose):
    site = resid_post(model.layer("middle"))
    alpha = {"small": rounding(model) / 200, "whole": 1.0}[dose]
    push = steer(
        site, random_direction(model, site, seed=0), alpha=alpha, at="last", unit="median_norm"
    )
    plain, pushed = (run(model, mixed_lengths, *e, capture=[site]) for e in ([], [push]))
    (line,) = pushed.ledger
    change = median_norm(pushed[site, "last"] - plain[site, "last"])
    assert line.delta_norm == pytest.approx(change, rel=1e-3)
    assert line.site_norm == pytest.approx(median_norm(plain[site, "last"]), rel=1e-3)


def test_the_norm_of_a_large_site_is_finite_and_right(model, mixed_lengths):
    site = resid_post(model.layer("middle"))
    push = random_direction(model, site, seed=1)
    edits = [steer(site, push, alpha=alpha, at="last") for alpha in (1e3, 0.0)]
    pushed = run(model, mixed_lengths, *edits, capture=[site])
    assert pushed.ledger[1].site_norm == pytest.approx(median_norm(pushed[site, "last"]), rel=1e-3)
    assert pushed.ledger[1].site_norm > 500
