"""What fewer bits do to effects: a slope, a rate of rescues and a rank, in each precision.

A tier finds the same if it lies within the interval that float32 gives to its own effect, or one
place beside it in the null; how far it is, prompt by prompt, is measured as well. The bites: MLPs
whose last scales are half as large again still answer every capital, with another rank, and slope
where there is one; with those scales in another order nothing is rescued.

Source: contract of every finding on packed weights; Biran et al. 2024, arXiv:2406.12775v2.
Differs: packed weights compute in float32 here, so that the bits are all that is different.
"""

import numpy as np
import pytest

from interp import back_patch, contrast, resid_post, run, steer
from interp.stats import average, paired_difference, rank_in_null
from interp.tiers import TIERS

pytestmark = [pytest.mark.calibration]
KINDS, DOSES, N_RANDOM = ("Europe", "Asia"), (0.0, 0.5, 1.0, 1.5, 2.0), 19
ONE_PLACE = 1.5 / (N_RANDOM + 1)
BROKEN = {"large": lambda scales: 1.5 * scales, "turned": lambda scales: scales[::-1].copy()}


def pushes(model, capitals):
    """The slope of each prompt's margin over the doses, and the rank of the middle dose."""
    kinds = [capitals.where(np.array(capitals.groups) == kind) for kind in KINDS]
    along = contrast(model, *kinds, site=resid_post(model.layer("middle"))).direction

    def margins(push, alpha=1.0):
        return run(model, capitals, steer(push.site, push, alpha=alpha)).answer_margin

    doses = np.array([margins(along, alpha) for alpha in DOSES])
    null = np.array([margins(one).mean() for one in along.random(N_RANDOM, seed=0)])
    p = rank_in_null(doses[DOSES.index(1.0)].mean(), null, tail="less").p
    return {"slope": average(np.polyfit(DOSES, doses, 1)[0]), "rank": p}


def rescued(model, hops):
    return {"rescues": average(back_patch(model, hops, donors=hops, at="e1").correct.mean(axis=0))}


@pytest.fixture(scope="module")
def found(tier, asked):
    told = {}
    for name in (*TIERS, *BROKEN):
        one = tier("4 bits", BROKEN[name]) if name in BROKEN else tier(name)
        told[name] = {"right": run(one, asked[0]).correct.mean()}
        told[name] |= pushes(one, asked[0]) if name != "turned" else {}
        told[name] |= rescued(one, asked[1]) if name != "large" else {}
        one.close()
    return told


@pytest.mark.parametrize("effect", ["slope", "rescues"])
def test_fewer_bits_find_an_effect_within_float32_s_interval(found, effect, measured):
    whole = found["float32"][effect]
    for tier in TIERS:
        one = measured(effect, found[tier][effect], tier=tier)
        measured(f"{effect}_from_float32", paired_difference(one.items, whole.items), tier=tier)
        assert whole.low <= one.mean <= whole.high


def test_fewer_bits_rank_within_one_place(found, measured):
    ranks = [measured("rank", found[tier]["rank"], unit="p", tier=tier) for tier in TIERS]
    assert np.abs(np.array(ranks) - ranks[0]).max() < ONE_PLACE


def test_a_wrong_scale_shows_in_ranks_and_rescues_where_every_answer_is_right(found):
    assert found["large"]["right"] == found["float32"]["right"]
    assert found["turned"]["rescues"].mean < found["float32"]["rescues"].low
    assert abs(found["large"]["rank"] - found["float32"]["rank"]) > ONE_PLACE


def test_a_wrong_scale_shows_in_the_slope(found):
    whole, large = (found[name]["slope"] for name in ("float32", "large"))
    if whole.low <= 0 <= whole.high:
        pytest.skip("float32 itself has no slope here that could go wrong")
    assert not whole.low <= large.mean <= whole.high
