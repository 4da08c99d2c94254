"""Statistics against hand-made values, scipy and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as oracle

from interp.errors import InconclusiveError, NonFiniteError, RequestError
from interp.stats import (
    Estimate,
    average,
    halves,
    holm,
    mcnemar,
    paired_difference,
    proportion,
    rank_in_null,
    sign_test,
    trend,
)


def hits(k, n):
    return np.arange(n) < k


def test_wilson_s_interval_of_nine_in_fifteen():
    estimate = proportion(hits(9, 15))
    assert (round(estimate.low, 3), round(estimate.high, 3)) == (0.357, 0.802)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_proportion_lies_in_its_interval(kn):
    estimate = proportion(hits(*kn))
    assert 0 <= estimate.low <= estimate.mean <= estimate.high <= 1
    assert estimate.n == kn[1]


def test_mcnemar_is_the_sign_test_on_discordant_pairs():
    a, b = hits(8, 23), np.zeros(23, dtype=bool)
    assert mcnemar(a, b).p == pytest.approx(0.5**8)
    assert mcnemar(a, a).p == 1.0
    assert mcnemar(b, a).p == 1.0


def test_a_null_of_five_cannot_be_below_a_sixth():
    assert rank_in_null(9.0, np.zeros(5)).p == pytest.approx(1 / 6)
    assert rank_in_null(9.0, np.zeros(100)).p == pytest.approx(1 / 101)
    assert rank_in_null(0.0, np.zeros(100)).p == 1.0
    assert rank_in_null(-1.0, np.zeros(99), tail="less").p == pytest.approx(0.01)


def test_the_sign_test_leaves_ties_out():
    values = np.array([-1.0, -2, -3, 0, 0])
    assert sign_test(values, tail="less").p == pytest.approx(0.125)
    assert sign_test(values).p == 1.0


def test_trend_is_kendall_s_tau_and_zero_where_nothing_varies():
    rows = np.array([[5, 4, 3, 2], [1, 2, 3, 4], [7, 7, 7, 7], [3, 3, 1, 0]])
    taus = trend(rows)
    assert taus[:3].tolist() == [-1.0, 1.0, 0.0]
    assert taus[3] == pytest.approx(oracle.kendalltau(rows[3], range(4)).statistic)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_the_bootstrap_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = [average(rng.normal(size=40), seed=i) for i in range(200)]
    rate = np.mean([one.low <= 0 <= one.high for one in covered])
    assert 0.89 <= rate <= 0.99


def test_a_difference_is_of_the_same_items():
    difference = paired_difference(hits(6, 10), hits(3, 10))
    assert difference.mean == pytest.approx(0.3)
    with pytest.raises(RequestError, match="same items"):
        paired_difference(hits(6, 10), hits(3, 9))


def test_the_exact_tests_keep_their_level_under_the_null():
    rng = np.random.default_rng(1)
    draws = [mcnemar(rng.random(40) < 0.4, rng.random(40) < 0.4).p < 0.05 for _ in range(400)]
    assert np.mean(draws) < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize("items", [[], [[1, 2]], 3.0])
def test_statistics_need_items(items):
    with pytest.raises(RequestError, match="list of items"):
        average(np.array(items))


def test_no_number_is_no_estimate():
    with pytest.raises(NonFiniteError):
        Estimate(float("nan"), 0.0, 1.0, 3)
    with pytest.raises(NonFiniteError):
        average(np.array([1.0, np.nan]))


def test_too_few_items_carry_no_verdict():
    assert proportion(hits(1, 50)).needs(50).n == 50
    with pytest.raises(InconclusiveError, match="at least 51"):
        proportion(hits(1, 50)).needs(51)


def test_halves_keep_groups_whole():
    groups = [str(i // 3) for i in range(30)]
    first, second = halves(groups, seed=0)
    assert (first ^ second).all()
    assert first.sum() == 15
    assert {g for g, f in zip(groups, first, strict=True) if f}.isdisjoint(
        g for g, s in zip(groups, second, strict=True) if s
    )
