"""An edit at a thought fires there, on every row, and in no other phase.

A counter that is not reset after the last thought overwrites the answer, too.

Source: contract of `interp.thoughts.think`; "LLaMA vs GPT-2 Activation Patching Comparison",
2025-10-20.
"""

import numpy as np
import pytest

import interp
from interp import fed, patch, resid_post, resid_pre, steer, think, thought
from interp.sites import final_norm

pytestmark = [pytest.mark.contract("think", "steer", "patch"), pytest.mark.on("tag:thoughts")]
N = 6


@pytest.fixture(scope="module")
def questions(word_problems):
    """A few questions of several lengths."""
    dev = word_problems.only(split="dev")
    return dev.where(np.arange(len(dev)) < 8)


@pytest.fixture
def sites(model):
    """Where edits are tried: the fed vector, and streams at three depths."""
    depths = [model.layer(depth) for depth in ("first", "middle", "last")]
    return [fed(), *map(resid_pre, depths), *map(resid_post, depths[:2])]


def push(model, site, at, *, alpha):
    """A large push along a random direction."""
    return steer(site, 30 * interp.random_direction(model, site, seed=3).vector, alpha=alpha, at=at)


@pytest.mark.parametrize("step", range(N))
def test_alpha_zero_is_the_identity_and_alpha_one_is_not(model, questions, sites, step):
    plain = think(model, questions).next_logits
    for site in sites:
        none, some = (push(model, site, thought(step), alpha=alpha) for alpha in (0.0, 1.0))
        assert np.array_equal(think(model, questions, none).next_logits, plain)
        moved = think(model, questions, some).next_logits != plain
        assert moved.any(axis=1).all()


def test_a_thought_s_own_value_changes_nothing_and_another_row_s_does(model, questions, sites):
    plain = think(model, questions, capture=sites)
    for site in sites:
        own = plain[site, thought(2)]
        back, other = (patch(site, one, at=thought(2)) for one in (own, np.roll(own, 1, axis=0)))
        assert np.array_equal(think(model, questions, back).next_logits, plain.next_logits)
        assert (think(model, questions, other).next_logits != plain.next_logits).any()


@pytest.mark.parametrize("step", range(1, N - 1))
def test_an_edit_reaches_no_earlier_thought(model, questions, sites, step):
    plain = think(model, questions, capture=[final_norm()])
    for site in sites:
        edit = push(model, site, thought(step), alpha=1.0)
        edited = think(model, questions, edit, capture=[final_norm()])
        apart = edited.captured[final_norm()] != plain.captured[final_norm()]
        assert not apart[:, : step + 1].any()
        assert apart[:, step + 1 :].any(axis=2).all()


def test_the_phases_fire_apart(model, questions):
    site = resid_post(model.layer("middle"))
    edits = {
        kind: push(model, site, "all", alpha=0.0).during(kind) for kind in ("prompt", "generated")
    }
    edits["thoughts"] = push(model, site, interp.all_thoughts(), alpha=0.0)
    runs = {kind: think(model, questions, one) for kind, one in edits.items()}
    fired = {kind: one.ledger[0].fired for kind, one in runs.items()}
    rows, passes = len(questions), map(len, runs["prompt"].new_ids)
    assert fired["thoughts"] == N * rows
    assert fired["prompt"] == sum(runs["prompt"].encoded.lengths)
    assert fired["generated"] >= sum(passes)
