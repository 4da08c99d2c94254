"""Steering with alpha = 0 is the identity, exactly, at every layer.

In floating point x + 0 d == x for every finite d, so there is no tolerance to choose: a backend
that moves one logit has changed the model by looking at it. The partner specs keep these honest,
because a hook that never fires is also an identity.

Source: contract of `interp.steer`; steering as in Turner et al. 2023, arXiv:2308.10248.
"""

import pytest

from interp import generate, max_abs_diff, moved, random_direction, resid_post, run, steer

at_places = pytest.mark.parametrize("at", ["all", "last"])


def push(model, layer, **how):
    """A push along a random direction at a layer, in units of what is there."""
    site = resid_post(layer)
    return steer(site, random_direction(model, site, seed=layer), unit="median_norm", **how)


@pytest.mark.contract("steer")
@at_places
def test_alpha_zero_is_the_identity(model, mixed_lengths, at):
    plain = run(model, mixed_lengths, logits_at="all")
    for layer in model.layers:
        steered = run(model, mixed_lengths, push(model, layer, alpha=0.0, at=at), logits_at="all")
        assert max_abs_diff(steered, plain) == 0.0


@pytest.mark.contract("steer")
@at_places
def test_alpha_one_moves_every_prompt_and_only_where_told(model, mixed_lengths, at):
    plain = run(model, mixed_lengths, logits_at="all")
    for layer in model.layers:
        steered = run(model, mixed_lengths, push(model, layer, alpha=1.0, at=at), logits_at="all")
        assert (moved(steered, plain) == plain.encoded.mask(at)).all()


@pytest.mark.contract("steer", "generate")
def test_alpha_zero_is_the_identity_while_generating(model, mixed_lengths):
    plain = generate(model, mixed_lengths, max_new_tokens=4)
    for layer in model.layers:
        steered = generate(model, mixed_lengths, push(model, layer, alpha=0.0), max_new_tokens=4)
        assert steered.new_ids == plain.new_ids


@pytest.mark.contract("steer", "generate")
def test_a_push_on_generated_tokens_spares_the_first_and_moves_the_rest(model, mixed_lengths):
    plain = generate(model, mixed_lengths, max_new_tokens=4)
    edit = push(model, model.layer("middle"), alpha=30.0).during("generated")
    steered = generate(model, mixed_lengths, edit, max_new_tokens=4)
    pairs = list(zip(steered.new_ids, plain.new_ids, strict=True))
    assert all(new[0] == old[0] for new, old in pairs)
    assert sum(new != old for new, old in pairs) > len(pairs) / 2
