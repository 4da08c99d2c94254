"""The back-patching instrument fires on a planted effect and stays quiet on a null.

Planted: what counts as rescued is what one known back-patch makes the model say, so a grid that
finds patches must rescue every prompt at that pair. Null: one stranger's vector against another's,
through the same grid and the same choice of a pair, is no finding.

Source: positive control for Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2.
"""

import numpy as np
import pytest

from interp import back_patch, patch, resid_post, resid_pre, rounding, run
from interp.stats import halves, mcnemar

pytestmark = [pytest.mark.calibration]


@pytest.fixture
def states(two_hop):
    """Two-hop prompts for development; their answers play no part."""
    return two_hop.only(split="dev", kind="state")


@pytest.fixture
def prompts(states):
    """A third of them."""
    return states.where(np.arange(len(states)) % 3 == 0)


def lead(one):
    """How far the likeliest token is ahead of the next, as a share of the largest logit."""
    logits = np.sort(one.next_logits, axis=1)
    return (logits[:, -1] - logits[:, -2]) / np.abs(logits).max()


def test_a_planted_rescue_is_found_where_it_was_planted(model, states):
    late, plain = model.layer("last"), run(model, states, capture=[resid_post(model.n_layers - 1)])
    given = plain[resid_post(late), "e1"]
    planted = run(model, states, patch(resid_pre(0), given, at="e1"))
    kept = (planted.likeliest != plain.likeliest) & (lead(planted) > rounding(model))  # no ties
    open_to_it, wanted = states.where(kept, at_least=20), planted.likeliest[kept]
    found = back_patch(
        model, open_to_it, donors=open_to_it, at="e1", read=lambda one: one.likeliest == wanted
    )
    assert found.by((0, late)).all()
    assert found.best(found.any) == (0, late)


@pytest.mark.parametrize("seed", range(3))
def test_one_stranger_s_vector_against_another_s_is_no_finding(model, prompts, seed):
    chosen, tested = halves(prompts.groups, seed=seed)
    strangers = [prompts.derange(seed=10 * seed + i) for i in (1, 2)]
    grids = [back_patch(model, prompts, donors=one, at="e1") for one in strangers]
    hits = [grid.by(grid.best(chosen))[tested] for grid in grids]
    assert mcnemar(*hits).p > 0.01
