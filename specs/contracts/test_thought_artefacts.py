"""Two ways to fool oneself about thoughts: a hook that stays on, and a site that nothing reads.

A hook that is not taken away after the last thought overwrites every token of the answer; patched
at all six thoughts the answer then breaks, at five it does not. And the state after the last
thought is never fed: what is written there changes nothing, however large it is.

Source: contract of `interp.thoughts.think`; "LLaMA vs GPT-2 Activation Patching Comparison",
2025-10-20, and "GPT-2 Activation Steering Experiment", 2025-10-21.
"""

import numpy as np
import pytest

from interp import final_norm, patch, random_direction, resid_post, steer, think, thought
from interp.errors import RequestError

pytestmark = [pytest.mark.contract("think", "steer", "patch"), pytest.mark.on("tag:thoughts")]
N = 6


@pytest.fixture(scope="module")
def questions(word_problems):
    """A few questions of several lengths."""
    dev = word_problems.only(split="dev")
    return dev.where(np.arange(len(dev)) < 8)


def push(model, site, step):
    """A large push along a random direction."""
    return steer(site, 30 * random_direction(model, site, seed=3).vector, at=thought(step))


def test_a_hook_that_stays_on_after_the_thoughts_shows(model, questions):
    site = resid_post(model.layer("middle"))
    value = think(model, questions, capture=[site])[site, thought(N - 1)]
    right = think(model, questions, patch(site, value, at=thought(N - 1)))
    stays = patch(site, value, at="all").during("generated")
    leaked = think(model, questions, patch(site, value, at=thought(N - 1)), stays)
    assert np.array_equal(right.next_logits, think(model, questions).next_logits)
    assert (leaked.next_logits != right.next_logits).any(axis=1).all()


def test_a_site_that_nothing_reads_is_refused_and_does_nothing(model, questions):
    plain = think(model, questions).next_logits
    for site in (final_norm(), resid_post(model.layer("last"))):
        last, before = (push(model, site, step) for step in (N - 1, N - 2))
        with pytest.raises(RequestError, match="nothing reads this site"):
            think(model, questions, last)
        dead = think(model, questions, last, dead_sites=True).next_logits
        assert np.array_equal(dead, plain)
        assert not np.array_equal(think(model, questions, before).next_logits, plain)
