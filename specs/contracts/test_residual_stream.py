"""The residual stream is one, and it is the only carrier between layers.

What leaves a block enters the next; attention and MLP add to it what their sites say, where the
family has it so; and a row that is given another row's whole stream says what that row says.

Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; interchange as in
Geiger et al. 2021, arXiv:2106.02997.
"""

import numpy as np
import pytest

from interp import attn_out, mlp_out, patch, relative_error, resid_post, resid_pre, rounding, run


@pytest.fixture
def alike(model, mixed_lengths):
    """Prompts of the commonest length, so that one row's stream fits another."""
    lengths = np.array(model.encode(mixed_lengths).lengths)
    return mixed_lengths.where(lengths == np.bincount(lengths).argmax(), at_least=2)


@pytest.mark.contract("run")
def test_what_leaves_a_block_enters_the_next(model, mixed_lengths):
    sites = [site(layer) for layer in model.layers for site in (resid_pre, resid_post)]
    stream = run(model, mixed_lengths, capture=sites)
    for layer in model.layers[1:]:
        assert np.array_equal(
            stream[resid_post(layer - 1)], stream[resid_pre(layer)], equal_nan=True
        )


@pytest.mark.contract("attn_out")
@pytest.mark.contract("mlp_out")
def test_attention_and_mlp_add_to_it_what_their_sites_say(model, mixed_lengths):
    parts = [resid_pre, attn_out, mlp_out, resid_post]
    sites = [part(layer) for layer in model.layers for part in parts]
    stream = run(model, mixed_lengths, capture=sites)
    for layer in model.layers:
        total = sum(stream[part(layer)] for part in parts[:3])
        assert relative_error(total, stream[resid_post(layer)]) < rounding(model)


@pytest.mark.contract("run")
def test_a_row_given_another_row_s_stream_says_what_that_row_says(model, alike):
    sites = [resid_post(layer) for layer in model.layers]
    plain = run(model, alike, capture=sites)
    rolled = np.roll(plain.next_logits, 1, axis=0)
    for site in sites:
        given = run(model, alike, patch(site, np.roll(plain[site], 1, axis=0), at="all"))
        assert relative_error(given.next_logits, rolled) < rounding(model)
    assert relative_error(plain.next_logits, rolled) > 2 * rounding(model)
