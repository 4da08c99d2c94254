"""What would make a number wrong raises; nothing is guessed, broadcast or let through.

An edit that fires nowhere, a vector of another shape, a direction of another model, an activation
that overflows, a contrast of prompts with themselves: each has been a result somewhere.

Source: contract of `interp.run`, `interp.generate` and `interp.contrast`.
"""

import numpy as np
import pytest

from interp import Direction, contrast, generate, resid_post, run, steer
from interp.errors import NonFiniteError, RequestError

pytestmark = [pytest.mark.contract]


@pytest.fixture
def site(model):
    """The residual stream half way up."""
    return resid_post(model.layer("middle"))


@pytest.fixture
def ones(model):
    """A vector of the right shape."""
    return np.ones(model.d_model, np.float32)


def test_an_activation_that_overflows(model, mixed_lengths, site, ones):
    huge = steer(site, ones * np.float32(3e38), alpha=2.0, at="last")
    with pytest.raises(NonFiniteError, match="NaN or infinite"):
        run(model, mixed_lengths, huge)


def test_a_direction_of_another_model(model, mixed_lengths, site, ones):
    foreign = Direction(ones, site, "0" * 64, "found elsewhere")
    with pytest.raises(RequestError, match="another model"):
        run(model, mixed_lengths, steer(site, foreign))


def test_a_vector_that_would_have_to_be_broadcast(model, mixed_lengths, site, ones):
    with pytest.raises(RequestError, match="nothing is broadcast"):
        run(model, mixed_lengths, steer(site, ones[None]))


def test_an_edit_that_fires_nowhere(model, mixed_lengths, site, ones):
    later = steer(site, ones).during("generated")
    with pytest.raises(RequestError, match="fire on every value"):
        generate(model, mixed_lengths, later, max_new_tokens=1)


def test_a_contrast_of_prompts_with_some_of_themselves(model, mixed_lengths, site):
    some = mixed_lengths.where(np.arange(len(mixed_lengths)) < 2)
    with pytest.raises(RequestError, match="must be disjoint"):
        contrast(model, mixed_lengths, some, site=site)
