"""Principal components of made-up values: which they are, what lies along them, what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.errors import RequestError
from interp.thought_spaces import principal_space, variance_curves


@st.composite
def clouds(draw):
    """Values of a few dimensions, of different spread in each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    width = draw(st.integers(2, 8))
    spread = rng.uniform(0.5, 5.0, size=width)
    return (rng.normal(size=(30, width)) * spread + 3 * rng.normal(size=width)).astype(np.float32)


@given(clouds(), st.data())
def test_axes_are_orthonormal_and_shares_add_up(values, data):
    space = principal_space(values)
    other = space.random(seed=data.draw(st.integers(0, 99)))
    for one in (space, other):
        assert np.allclose(one.axes @ one.axes.T, np.eye(len(one.axes)), atol=1e-9)
    assert space.shares.sum() == pytest.approx(1.0)
    assert (np.diff(space.shares) <= 0).all()


@given(clouds(), st.data())
def test_a_vector_s_share_grows_to_all_of_it(values, data):
    space = principal_space(values)
    vector = values[data.draw(st.integers(0, 29))]
    shares = [space.share_of(vector, n) for n in range(1 + len(space.axes))]
    assert shares[0] == 0.0
    assert shares[-1] == pytest.approx(1.0)
    assert (np.diff(shares) >= 0).all()


def test_the_first_axis_is_where_values_differ_most():
    values = np.random.default_rng(0).normal(size=(200, 3)) * (1, 9, 2) + (50, 0, 0)
    space = principal_space(values.astype(np.float32))
    assert abs(space.axes[0, 1]) > 0.99
    assert space.towards(np.array([0.0, -1.0, 0.0]))[1] < 0 < space.towards(np.eye(3)[1])[1]


def test_values_that_do_not_vary_have_no_components():
    with pytest.raises(RequestError, match="do not vary"):
        principal_space(np.ones((5, 3), np.float32))


def test_more_axes_than_there_are_are_refused():
    space = principal_space(np.eye(4, dtype=np.float32))
    with pytest.raises(RequestError, match="number of axes"):
        space.kept(np.ones((2, 4), np.float32), 5)


def test_the_curves_say_how_many_questions():
    space = principal_space(np.eye(4, dtype=np.float32))
    chart = variance_curves([space, space], n=4)
    assert [line.name for line in chart.plots[0].lines] == ["thought 0", "thought 1"]
    assert chart.note == "n = 4 questions."
