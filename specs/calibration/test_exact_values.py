"""Verdicts by hand: small cases whose p-values and intervals anybody can work out.

A level that is kept says little about a test that has no power, an interval that is too wide, or a
tail that is the other one: those keep their level too.

Source: McNemar 1947; Holm 1979; the rank of a value in a null of n draws, (1 + as extreme)/(1 + n).
"""

import numpy as np
import pytest

from interp.patching import Rescues
from interp.stats import halves, holm, mcnemar, paired_difference, rank_in_null, sign_test

pytestmark = [pytest.mark.calibration]
TAILS = pytest.mark.parametrize("tail", ["greater", "less"])


@TAILS
def test_mcnemar_sees_discordant_items_only(tail):
    fewer = np.arange(200) < 100
    more = np.arange(200) < 108
    pair = (more, fewer) if tail == "greater" else (fewer, more)
    assert mcnemar(*pair, tail=tail).p == pytest.approx(0.5**8)
    assert mcnemar(*pair[::-1], tail=tail).p == 1.0


@TAILS
def test_the_sign_test_leaves_ties_out_and_knows_its_tail(tail):
    values = np.array([1, 2, 3, 4, 5, 0, 0]) * (1 if tail == "greater" else -1)
    assert sign_test(values, tail=tail).p == pytest.approx(0.5**5)
    assert sign_test(-values, tail=tail).p == 1.0


@TAILS
def test_a_rank_in_99_draws_is_never_below_a_hundredth(tail):
    null, beyond = np.arange(99.0), {"greater": 99.0, "less": -1.0}
    assert rank_in_null(beyond[tail], null, tail=tail).p == pytest.approx(0.01)
    other = "less" if tail == "greater" else "greater"
    assert rank_in_null(beyond[tail], null, tail=other).p == 1.0


def test_holm_steps_down_and_never_back():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.02, 0.9, 0.5]).tolist() == pytest.approx([0.06, 1.0, 1.0])


def test_a_constant_difference_has_no_spread():
    values = np.random.default_rng(0).normal(size=40)
    shift = paired_difference(values, values - 0.3)
    assert (shift.low, shift.mean, shift.high) == pytest.approx((0.3, 0.3, 0.3))


@pytest.mark.parametrize("seed", range(5))
def test_halves_are_disjoint_and_keep_groups_whole(seed):
    groups = np.array([f"group {item // 3}" for item in range(30)])
    chosen, tested = halves(list(groups), seed=seed)
    assert (chosen ^ tested).all()
    assert chosen.sum() == tested.sum() == 15
    assert not set(groups[chosen]) & set(groups[tested])


def test_the_best_pair_is_that_of_the_chosen_items():
    correct = np.array([[True, True, False, False, False], [False, False, True, True, True]])
    grid = Rescues(((0, 0), (0, 1)), correct)
    assert grid.best(np.arange(5) < 2) == (0, 0)
    assert grid.best(np.arange(5) >= 2) == (0, 1)
