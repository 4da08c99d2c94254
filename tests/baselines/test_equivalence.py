"""Same, changed or inconclusive: what the statistics promise, measured by simulation.

Every simulation states how many comparisons it rests on, and allows for three standard errors.
"""

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest, multinomial

from interp.reports.equivalence import LEVEL, Evidence, judge, weigh

MANY = 600


def hits(draws, rates):
    return draws.random(len(rates)) < rates


def twice(draws, n, *, shift=0.0):
    """Two runs of a process that answers each item with a chance of its own."""
    rates = draws.beta(0.6, 0.6, size=n)
    return hits(draws, rates), hits(draws, np.clip(rates + shift, 0, 1))


def measured_twice(draws, n, *, shift=0.0):
    """Two noisy measurements of the same numbers, the noise far from normal."""
    truth = draws.normal(size=n)
    first, second = (draws.exponential(0.5, size=n) - 0.5 for _ in range(2))
    return truth + first, truth + second + shift


def allowed(level, many):
    return level + 3 * (level * (1 - level) / many) ** 0.5


def test_the_p_of_hits_is_the_exact_test_on_those_that_moved():
    before = np.array([True] * 30 + [False] * 30)
    after = before.copy()
    after[:9], after[30:32] = False, True
    seen = weigh(before, after)
    assert seen.p == binomtest(2, 11).pvalue
    assert (seen.moved, seen.n, seen.difference) == (11, 60, -7 / 60)
    assert seen.low < seen.difference < seen.high < 0.01


@pytest.mark.parametrize(("n", "margin"), [(40, 0.1), (60, 0.05), (60, 0.1), (100, 0.1)])
def test_equivalence_of_hits_has_its_level_exactly_at_the_margin(n, margin):
    """Summed over every outcome, for the worst share of items that move both ways."""
    same = []
    for gained, lost in itertools.product(range(n // 4 + 1), repeat=2):
        before = np.array([True] * lost + [False] * (n - lost))
        after = np.array([False] * lost + [True] * gained + [False] * (n - lost - gained))
        if abs(gained - lost) <= n * margin and weigh(before, after, margin=margin).is_same:
            same.append((gained, lost, n - gained - lost))
    assert same
    levels = [
        multinomial(n, [back + margin, back, 1 - margin - 2 * back]).pmf(same).sum()
        for back in np.linspace(0, 0.3, 13)
    ]
    assert max(levels) < 0.06  # the score test is known to exceed 0.05 by so little


def test_equivalence_of_numbers_has_its_level_at_the_margin():
    draws, found = np.random.default_rng(1), 0
    for _ in range(MANY):
        before, after = measured_twice(draws, 40, shift=0.3)
        found += weigh(before, after, margin=0.3).is_same
    assert found / MANY <= allowed(LEVEL, MANY)


@pytest.mark.parametrize("process", [twice, measured_twice])
def test_the_interval_holds_the_difference_as_often_as_it_says(process):
    draws, held = np.random.default_rng(2), 0
    for _ in range(MANY):
        seen = weigh(*process(draws, 60))
        held += seen.low <= 0 <= seen.high
    assert held / MANY >= 0.9 - 3 * (0.09 / MANY) ** 0.5


@pytest.mark.parametrize("process", [twice, measured_twice])
def test_one_comparison_of_identical_processes_is_rarely_significant(process):
    draws = np.random.default_rng(3)
    wrong = sum(weigh(*process(draws, 60)).p <= LEVEL for _ in range(MANY))
    assert wrong / MANY <= allowed(LEVEL, MANY)


def test_the_bootstrap_of_eight_items_is_widened_enough():
    """Without the widening 7.6 % of identical processes would be significant, with it 5.9 %."""
    draws, many = np.random.default_rng(12), 2000
    wrong = sum(weigh(*measured_twice(draws, 8)).p <= LEVEL for _ in range(many))
    assert wrong / many <= allowed(LEVEL, many)


def test_where_nothing_changed_few_runs_show_a_change():
    """60 runs of 20 comparisons: 1200 under the null, half hits and half numbers."""
    draws, runs, with_false, false = np.random.default_rng(4), 60, 0, 0
    for _ in range(runs):
        found = [weigh(*process(draws, 50)) for process in (twice, measured_twice) * 10]
        changed = judge(found).count("changed")
        false += changed
        with_false += changed > 0
    assert with_false / runs <= allowed(LEVEL, runs)
    assert false / (runs * 20) <= LEVEL


def test_among_real_changes_the_share_of_false_ones_stays_at_its_level():
    """60 runs of 20 comparisons, five of which are of processes 23 points apart."""
    draws, runs, shares = np.random.default_rng(5), 60, []
    for _ in range(runs):
        found = [weigh(*twice(draws, 80, shift=-0.3 if place < 5 else 0.0)) for place in range(20)]
        said = judge(found)
        false = said[5:].count("changed")
        shares.append(false / max(1, said.count("changed")))
    assert np.mean(shares) <= LEVEL + 3 * np.std(shares) / runs**0.5


def test_a_change_of_fifteen_points_on_200_items_is_found_among_twenty():
    """A shift of the chances by 0.18, cut off at 0, is one of 15 points; the power is 0.85."""
    draws, found = np.random.default_rng(6), 0
    for _ in range(50):
        pairs = [twice(draws, 200, shift=-0.18)] + [twice(draws, 200) for _ in range(19)]
        found += judge([weigh(*pair) for pair in pairs])[0] == "changed"
    assert found / 50 >= 0.85 - 3 * (0.85 * 0.15 / 50) ** 0.5


def test_what_is_the_same_but_for_a_few_items_is_shown_to_be():
    draws, same = np.random.default_rng(7), 0
    for _ in range(100):
        before = draws.random(300) < 0.7
        flipped = draws.random(300) < 0.01
        same += judge([weigh(before, before ^ flipped)])[0] == "same"
    assert same / 100 >= 0.95


def test_too_few_items_are_never_called_the_same_for_lack_of_a_difference():
    draws = np.random.default_rng(8)
    said = [judge([weigh(*twice(draws, 8))])[0] for _ in range(50)]
    assert set(said) == {"inconclusive"}


def test_one_significant_shift_is_found():
    before = np.array([True] * 40 + [False] * 60)
    after = before.copy()
    after[:20] = False
    assert judge([weigh(before, after)]) == ["changed"]


def test_what_can_never_reach_the_level_does_not_weaken_the_others():
    strong = Evidence(0.2, 0.1, 0.3, 100, 12, 0.05, 0.02, 1.0, reachable=0.001)
    weak = Evidence(0.01, -0.1, 0.1, 100, 2, 0.05, 0.5, 1.0, reachable=0.5)
    assert judge([strong, *[weak] * 50])[0] == "changed"
    counted = Evidence(0.01, -0.1, 0.1, 100, 2, 0.05, 0.5, 1.0, reachable=0.01)
    assert judge([strong, *[counted] * 50])[0] == "inconclusive"


def test_what_is_shown_to_be_the_same_does_not_make_the_rest_easier():
    tiny = Evidence(0.001, 0.0, 0.002, 9000, 9, 0.05, 1e-9, 1e-9)
    weak = Evidence(0.2, 0.1, 0.3, 100, 40, 0.05, 0.04, 1.0)
    assert judge([weak]) == ["changed"]
    assert judge([weak, *[tiny] * 50]) == ["inconclusive", *["same"] * 50]


@pytest.mark.parametrize("before", [np.ones(60, bool), np.zeros(60, bool)])
def test_everything_moved(before):
    seen = weigh(before, ~before)
    assert judge([seen]) == ["changed"]
    assert seen.low <= seen.difference <= seen.high


def test_one_number_that_moved_far_is_no_proof_of_anything():
    before = np.zeros(50)
    after = before.copy()
    after[0] = 100.0
    assert judge([weigh(before, after, margin=1.0)]) == ["inconclusive"]


def test_the_order_of_items_and_the_direction_do_not_matter():
    draws = np.random.default_rng(9)
    before, after = twice(draws, 90, shift=-0.1)
    mixed = draws.permutation(90)
    there, back = weigh(before, after), weigh(after, before)
    assert weigh(before[mixed], after[mixed]) == there
    assert (back.p, back.difference) == (there.p, -there.difference)
    assert back.p_apart == pytest.approx(there.p_apart)
    assert back.low == pytest.approx(-there.high)
