"""Controls are what they are taken for: as long as the direction, and pointing anywhere.

A random direction of another norm, one draw repeated, or entries that are all positive makes a
control that any direction beats. Shuffled labels that keep the labels make one that none beats.

Source: norm-matched random and label-shuffled directions, the nulls of every finding here; the
defects are those of "GPT-2 Activation Steering Experiment", 2025-10-21.
"""

import numpy as np
import pytest

from interp import Direction, resid_post
from interp.directions import Contrast

pytestmark = [pytest.mark.calibration]
WIDTH, DRAWS = 16, 2000


@pytest.fixture
def direction():
    """A direction of norm about 20, with a mean that is not zero."""
    entries = np.random.default_rng(0).normal(3, 4, size=WIDTH).astype(np.float32)
    return Direction(entries, resid_post(0), "", "planted")


def contrast(apart, *, seed, n=30):
    """Two kinds of noise whose means lie that far apart."""
    kinds = np.random.default_rng(seed).normal(size=(2, n, WIDTH)).astype(np.float32)
    kinds[0] += apart
    return Contrast(*kinds, resid_post(0), "")


def test_every_control_is_as_long_as_the_direction(direction):
    found = contrast(1.0, seed=1)
    for one in direction.random(50, seed=0):
        assert one.norm == pytest.approx(direction.norm, rel=1e-5)
    for one in (*found.shuffled(50, seed=0), *found.within(50, seed=0)):
        assert one.norm == pytest.approx(found.direction.norm, rel=1e-5)


def test_random_directions_point_everywhere(direction):
    units = np.array([one.unit for one in direction.random(DRAWS, seed=0)])
    spread = np.linalg.eigvalsh(units.T @ units / DRAWS) * WIDTH
    assert np.linalg.norm(units.mean(axis=0)) < 5 / DRAWS**0.5
    assert 0.8 < spread.min() < spread.max() < 1.2


def test_shuffled_labels_are_shuffled():
    found = contrast(3.0, seed=2)
    norms = found.shuffled_norms(200, seed=0)
    assert norms.max() < 0.8 * found.direction.norm
    assert 0.05 < np.median(norms) / found.direction.norm < 0.4


def test_halves_agree_where_there_is_a_direction_and_nowhere_else():
    there = [contrast(3.0, seed=seed).agreement(seed=0) for seed in range(40)]
    nowhere = [contrast(0.0, seed=seed).agreement(seed=0) for seed in range(40)]
    assert np.min(there) > 0.9
    assert abs(np.mean(nowhere)) < 0.2
