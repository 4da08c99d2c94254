"""All components of a thought are the thought, none are its mean, and what is kept is not removed.

A component that is taken of values about zero, and not about their mean, holds the mean too: kept,
it then counts twice, and removed it is gone.

Source: contract of `interp.thought_spaces.Space`.
"""

import numpy as np
import pytest

from interp import fed, relative_error, rounding, think, thought
from interp.thought_spaces import principal_space

pytestmark = [pytest.mark.contract("think"), pytest.mark.on("tag:thoughts")]
SOME = 4


@pytest.fixture(scope="module")
def values(model, word_problems):
    """What is fed at one thought of some questions."""
    dev = word_problems.only(split="dev")
    asked = dev.where(np.arange(len(dev)) < 40)
    return think(model, asked, capture=[fed()])[fed(), thought(2)]


def test_all_components_are_the_values_and_none_the_mean(model, values):
    space = principal_space(values)
    whole, none = (space.kept(values, n) for n in (len(space.axes), 0))
    assert relative_error(whole, values) < rounding(model)
    assert relative_error(none, np.broadcast_to(values.mean(axis=0), values.shape)) < rounding(
        model
    )
    assert np.array_equal(space.removed(values, 0), values)
    assert relative_error(space.kept(values, SOME), values) > rounding(model)


def test_what_is_kept_and_what_is_removed_are_the_values(model, values):
    space = principal_space(values)
    for one in (space, space.random(seed=1)):
        kept, removed = one.kept(values, SOME), one.removed(values, SOME)
        assert relative_error(kept + removed - one.mean, values) < rounding(model)
        assert relative_error(one.kept(removed, SOME), none_of(one, values)) < rounding(model)


def none_of(space, values):
    """The mean, a row for each."""
    return np.broadcast_to(space.mean, values.shape)


def test_the_first_components_hold_more_than_random_axes(values):
    space = principal_space(values)
    spread = [np.var(one.kept(values, SOME), axis=0).sum() for one in (space, space.random(seed=1))]
    assert spread[0] > 2 * spread[1]
    assert spread[0] == pytest.approx(
        space.shares[:SOME].sum() * np.var(values, axis=0).sum(), rel=1e-3
    )
