"""A state that is moved is the one that was named, from where it was to where it goes.

Written back where it came from, a state changes nothing; another layer's, position's or prompt's
gives what a run by hand gives, pair by pair. Noise in its place is as long. Within K samples counts
K independent samples.

Source: contract of `interp.patching`; Biran et al. 2024, arXiv:2406.12775v2.
"""

import numpy as np
import pytest

from interp import patch, relative_error, resid_post, resid_pre, rounding, run
from interp.metrics import log_softmax
from interp.norms import noise_like
from interp.patching import back_patch_noise, cross_patch, sampled_until_right, states_at

pytestmark = [pytest.mark.contract("patch", "sweep")]


@pytest.fixture(scope="module")
def asked(two_hop):
    """A few questions of two hops."""
    dev = two_hop.only(split="dev", kind="state")
    return dev.where(np.arange(len(dev)) % 30 == 0)


def next_logits(done):
    """All of them."""
    return done.next_logits


def test_a_state_in_its_own_place_is_the_identity(model, asked):
    given, plain = states_at(model, asked, "e1"), run(model, asked).next_logits
    found = cross_patch(model, asked, given=given, at="e1", read=next_logits)
    for late in range(model.n_layers - 1):
        assert relative_error(found.by((late + 1, late)), plain) < rounding(model)
    assert relative_error(found.by((0, model.n_layers - 1)), plain) > rounding(model)


def test_every_pair_is_the_run_it_names(model, asked):
    first, second = asked.first_hop, asked.second_hop
    given = states_at(model, first, "last")
    found = cross_patch(model, second, given=given, at="e1", read=next_logits)
    source = run(model, first, capture=[resid_post(layer) for layer in model.layers])
    for early, late in [(0, model.n_layers - 1), (model.n_layers - 1, 0), (1, 1)]:
        edit = patch(resid_pre(early), source[resid_post(late), "last"], at="e1")
        by_hand = run(model, second, edit).next_logits
        assert relative_error(found.by((early, late)), by_hand) < rounding(model)
    assert len(found.pairs) == model.n_layers**2


def test_noise_is_as_long_as_the_state_it_stands_for(model, asked):
    own = states_at(model, asked, "e1")
    noise, late = noise_like(own, seed=3), model.layer("middle")
    for site, values in own.items():
        lengths = [np.linalg.norm(one, axis=1) for one in (values, noise[site])]
        assert np.allclose(*lengths, rtol=1e-5)
    found = back_patch_noise(model, asked, at="e1", seed=3, read=next_logits)
    by_hand = run(model, asked, patch(resid_pre(1), noise[resid_post(late)], at="e1")).next_logits
    assert relative_error(found.by((1, late)), by_hand) < rounding(model)


def test_within_so_many_samples_counts_that_many(model, asked):
    done = run(model, asked)
    odds = np.exp(log_softmax(done.next_logits / 2))
    rows = zip(odds, done.encoded.answers, strict=True)
    right = np.array([row[list(ids)].sum() for row, ids in rows])
    drawn = [sampled_until_right(model, asked, seed=seed, temperature=2.0) for seed in range(100)]
    for tries in (1, 10):
        hits, expected = np.array(drawn) <= tries, 1 - (1 - right) ** tries
        spread = np.sqrt((expected * (1 - expected)).sum() / len(drawn))
        assert abs(hits.mean(axis=0).sum() - expected.sum()) < 5 * spread + 1e-9
