"""Every verdict errs as rarely as it says, sees what it should, and every interval covers.

Simulated nulls: the share of p-values below the level must not exceed it; simulated effects: the
test must see them; intervals must hold the truth as often as they claim. None of it needs a model.

Source: nominal level, power and coverage, as any textbook defines them; 3 standard errors of slack
for the simulation itself.
"""

import numpy as np
import pytest
from scipy.stats import binom

from interp.stats import average, mcnemar, proportion, rank_in_null, sign_test

pytestmark = [pytest.mark.calibration]
NULLS, LEVEL = 1000, 0.05
SLACK = 3 * (LEVEL * (1 - LEVEL) / NULLS) ** 0.5


def share_below(test, draw):
    """How often the test's p-value falls below the level, over seeded draws."""
    rngs = [np.random.default_rng(seed) for seed in range(NULLS)]
    return np.mean([test(*draw(rng)).p <= LEVEL for rng in rngs])


def hits(rng, *rates, n=60):
    """Paired outcomes of items that differ in difficulty: one array of bool a rate."""
    difficulty = rng.random(n)
    return [rng.random(n) < np.clip(2 * rate * difficulty, 0, 1) for rate in rates]


def test_mcnemar_keeps_its_level_and_sees_an_effect():
    assert share_below(mcnemar, lambda rng: hits(rng, 0.3, 0.3)) <= LEVEL + SLACK
    assert share_below(mcnemar, lambda rng: hits(rng, 0.45, 0.1)) > 0.9
    assert share_below(mcnemar, lambda rng: hits(rng, 0.1, 0.45)) == 0


def test_the_sign_test_keeps_its_level_and_sees_an_effect():
    assert share_below(sign_test, lambda rng: [rng.normal(size=40)]) <= LEVEL + SLACK
    assert share_below(sign_test, lambda rng: [rng.normal(1, size=40)]) > 0.9


def test_a_rank_is_as_rare_as_it_says_neither_more_nor_less():
    def drawn(rng):
        return rng.normal(), rng.normal(size=99)

    assert abs(share_below(rank_in_null, drawn) - LEVEL) <= SLACK


def test_wilson_s_interval_covers_on_average_as_often_as_it_says():
    """Exactly, over all outcomes of 50 items: Wald's interval would cover 0.90 of the time."""
    outcomes, rates = np.arange(51), np.linspace(0.01, 0.99, 99)
    intervals = [proportion(np.arange(50) < k) for k in outcomes]
    covers = [[one.low <= rate <= one.high for one in intervals] for rate in rates]
    chances = [binom.pmf(outcomes, 50, rate) for rate in rates]
    coverage = (np.array(covers) * np.array(chances)).sum(axis=1)
    assert coverage.mean() == pytest.approx(0.95, abs=0.01)
    assert coverage.min() > 0.83


def test_no_hits_still_have_an_interval():
    nothing = proportion(np.zeros(15, dtype=bool))
    assert nothing.low == 0
    assert 0.15 < nothing.high < 0.25


def test_the_bootstrap_interval_covers_even_skewed_items():
    draws = [np.random.default_rng(seed).exponential(size=60) for seed in range(500)]
    covered = [one.low <= 1 <= one.high for one in map(average, draws)]
    assert 0.88 < np.mean(covered) < 0.98
