"""Removing a direction depends on where it points and not on how long it is, and is done once.

Source: directional ablation of Arditi et al. 2024, arXiv:2406.11717: h - (h . u) u, u of norm one.
"""

import pytest

from interp import project_out, random_direction, relative_error, resid_post, rounding, run

pytestmark = [pytest.mark.contract("project_out")]


@pytest.mark.parametrize("depth", ["first", "middle", "last"])
def test_a_longer_vector_along_the_same_direction_removes_the_same(model, mixed_lengths, depth):
    site = resid_post(model.layer(depth))
    along = random_direction(model, site, seed=8).vector
    edits = [[], [along], [7 * along], [along, along]]
    plain, once, longer, twice = (
        run(model, mixed_lengths, *(project_out(site, one) for one in vectors), capture=[site])[
            site
        ]
        for vectors in edits
    )
    assert relative_error(longer, once) < rounding(model)
    assert relative_error(twice, once) < rounding(model)
    assert relative_error(plain, once) > rounding(model)
