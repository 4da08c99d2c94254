"""A sweep over thoughts gives what its variants give one by one, and reads the questions once.

What is shared is what no variant changes: the question. A variant that saw another's thoughts, or a
question's padding, would give other logits here. The bite: the variants differ from the unedited
course and from each other, and a variant that changes the question shares nothing.

Source: contract of `interp.thought_sweeps.think_sweep`.
"""

from operator import attrgetter

import numpy as np
import pytest

from interp import fed, patch, random_direction, relative_error, rounding, steer, think, thought
from interp.sites import resid_pre, z
from interp.thought_sweeps import think_sweep

pytestmark = [pytest.mark.contract("think", "steer", "patch"), pytest.mark.on("tag:thoughts")]
N = 6
next_logits = attrgetter("next_logits")


@pytest.fixture(scope="module")
def questions(word_problems):
    """A few questions of several lengths."""
    dev = word_problems.only(split="dev")
    return dev.where(np.arange(len(dev)) < 10)


def push(model, site, step, alpha=30.0):
    """A push along a random direction of its own."""
    return steer(site, random_direction(model, site, seed=step), alpha=alpha, at=thought(step))


@pytest.fixture(scope="module")
def variants(model, questions):
    """Other rows' values, pushes at one and all thoughts, two at one site, a dose of zero."""
    middle = model.layer("middle")
    sites = (fed(), resid_pre(middle), z(middle))
    given = think(model, questions, capture=sites)
    others = [(site, step, given[site, thought(step)]) for site in sites for step in (0, 3)]
    patches = [(patch(at, np.roll(it, 1, axis=0), at=thought(i)),) for at, i, it in others]
    every = tuple(push(model, sites[1], step) for step in range(N))
    both = (*patches[3], push(model, sites[1], 3))
    return [(), (push(model, fed(), 2, 0.0),), every, every[::-1], both, both[::-1], *patches]


def test_a_sweep_equals_its_variants_one_by_one(model, questions, variants):
    grid = think_sweep(model, questions, variants, read=next_logits)
    plain = np.stack([think(model, questions, *variant).next_logits for variant in variants])
    assert str(grid.rung) == "strands"
    assert relative_error(grid.values, plain) < rounding(model)
    assert (np.abs(plain[2:] - plain[0]).max(axis=(1, 2)) > 0).all()
    assert np.abs(plain[4] - plain[5]).max() > 0


def test_its_answers_and_ledgers_are_theirs(model, questions, variants):
    grid = think_sweep(model, questions, variants, read=lambda one: np.array(one.texts))
    for texts, ledger, variant in zip(grid.values, grid.ledgers, variants, strict=True):
        plain = think(model, questions, *variant)
        assert tuple(texts) == plain.texts
        for ours, theirs in zip(ledger, plain.ledger, strict=True):
            assert (ours.fired, ours.positions) == (theirs.fired, theirs.positions)
            assert ours.verb == "patch" or ours.delta_norm == pytest.approx(theirs.delta_norm)


def test_a_variant_that_changes_the_question_goes_by_itself(model, questions):
    site = resid_pre(model.layer("middle"))
    asked = (push(model, fed(), 1), steer(site, random_direction(model, site, seed=9), at="last"))
    grid = think_sweep(model, questions, [asked], read=next_logits)
    assert grid.rung.name == "plain"
    assert np.array_equal(grid.values[0], think(model, questions, *asked).next_logits)


def test_the_questions_are_read_once(model, questions, variants):
    grid = think_sweep(model, questions, variants[2:5], read=next_logits).work
    read = model.n_layers * sum(think(model, questions, n_thoughts=0).encoded.lengths)
    assert grid.one_by_one - grid.layer_tokens == 2 * read
    assert grid.audited > 0
