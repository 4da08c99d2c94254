"""Three ways in which steering thoughts fools its experimenter, and what the same does done right.

A model's own value from before a block, put after it, changes the model: a vector belongs to its
site. The vector for the last thought, added where the next one is made, is never read. And where
labels come from one decoder and steered answers from another, alpha 0 already moves answers.

Source: contract of `interp.thought_steering`; "GPT-2 Activation Steering Experiment", 2025-10-21,
where alpha 0 gives 32.6 % of questions half of which were solved; the same on LLaMA-3.2-1B.
"""

import numpy as np
import pytest

from interp import final_norm, patch, resid_post, resid_pre, steer, think, thought
from interp.thought_steering import labelled, thought_contrast

pytestmark = [pytest.mark.contract("think", "steer", "patch"), pytest.mark.on("tag:thoughts")]
N = 6


@pytest.fixture(scope="module")
def plain(model, word_problems):
    """Questions, thought about without an edit."""
    test = word_problems.only(split="test")
    sites = [site(model.layer("middle")) for site in (resid_pre, resid_post)]
    asked = test.where(np.arange(len(test)) < 160)
    return think(model, asked, capture=[*sites, final_norm()])


@pytest.fixture
def held(plain):
    """Half of them right and half wrong by the decoder itself, and others to find a direction."""
    known = labelled(plain, held=40, at_least=20)
    return known, plain.prompts.where(known.held)


def directions(model, plain, known, site):
    return thought_contrast(model, plain, site, known.right, known.wrong).own


def test_a_value_read_before_a_block_is_foreign_after_it(model, plain):
    before, after = (site(model.layer("middle")) for site in (resid_pre, resid_post))
    own = {site: plain[site, thought(1)] for site in (before, after)}
    for site in (before, after):
        home = think(model, plain.prompts, patch(site, own[site], at=thought(1)))
        assert np.array_equal(home.next_logits, plain.next_logits)
    foreign = think(model, plain.prompts, patch(after, own[before], at=thought(1)))
    assert (foreign.next_logits != plain.next_logits).any(axis=1).all()


def test_a_vector_of_a_layer_added_after_the_final_norm_leaves_the_layer(model, plain, held):
    known, questions = held
    site = resid_post(model.layer("middle"))
    first = directions(model, plain, known, site)[0]
    home, foreign = (steer(at, first.vector, at=thought(0)) for at in (site, final_norm()))
    runs = [think(model, questions, *one, capture=[site]) for one in ((), (home,), (foreign,))]
    none, moved, same = (done[site, thought(0)] for done in runs)
    assert np.array_equal(same, none)
    assert (moved != none).any(axis=1).all()


def test_six_pushes_where_the_next_thought_is_made_are_five(model, plain, held):
    known, questions = held
    own = directions(model, plain, known, final_norm())
    pushes = [steer(final_norm(), one, at=thought(step)) for step, one in enumerate(own)]
    runs = [think(model, questions, *pushes[:n], dead_sites=True) for n in (4, 5, 6)]
    four, five, six = (done.next_logits for done in runs)
    assert np.array_equal(six, five)
    assert not np.array_equal(five, four)


def test_alpha_zero_keeps_half_right_in_the_decoder_that_gave_the_labels(model, plain, held):
    known, questions = held
    own = directions(model, plain, known, resid_post(model.layer("middle")))
    nothing = [steer(one.site, one, alpha=0.0, at=thought(n)) for n, one in enumerate(own)]
    same = think(model, questions, *nothing)
    other = think(model, questions, *nothing, said="?")  # as one that begins after a stray token
    assert np.array_equal(same.correct, plain.correct[known.held])
    assert same.correct.mean() == 0.5
    assert not np.array_equal(other.correct, same.correct)
