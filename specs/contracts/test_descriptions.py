"""A described state takes the placeholder's place, before the block that is named, and only there.

A prompt's own state put back into the block that follows changes nothing that is said; another
prompt's state changes something. So the grid writes where it says.

Source: contract of `interp.descriptions`; Ghandeharioun et al. 2024, arXiv:2401.06102.
"""

import numpy as np
import pytest

from interp import PromptSet, relative_error, resid_pre, rounding, run
from interp.descriptions import describe, noise_like, put, states_of
from interp.prompts import Prompt

pytestmark = pytest.mark.contract("patch")


@pytest.fixture
def prompts(model, mixed_lengths):
    """Rows whose span is not their last token, with some answer."""
    encoded = model.encode(mixed_lengths)
    inside = mixed_lengths.where(encoded.indices("e1") < encoded.indices("last"))
    rows = (Prompt(text=p.text, spans=p.spans, answers=("Paris",)) for p in inside.prompts)
    return PromptSet("named", tuple(rows))


def test_a_prompt_s_own_state_in_the_next_block_changes_nothing(model, prompts):
    states = states_of(model, prompts, model.layers[:-1], at="e1")
    found, plain = describe(model, prompts, states, at="e1"), run(model, prompts)
    assert found.pairs == tuple((one, other) for one in model.layers[:-1] for other in model.layers)
    for layer in model.layers[:-1]:
        said = found.likeliest[found.pairs.index((layer, layer + 1))]
        assert said.tolist() == plain.likeliest.tolist()
        assert found.by((layer, layer + 1)).tolist() == plain.correct.tolist()


def test_another_prompt_s_state_arrives_at_the_placeholder(model, prompts):
    layer = model.layer("middle")
    states = states_of(model, prompts, [layer], at="e1")
    others, site = np.roll(states[layer], 1, axis=0), resid_pre(layer)
    given = run(model, prompts, *put(layer, others, at="e1"), capture=[site])
    plain = run(model, prompts, capture=[site])
    assert np.array_equal(given[site, "e1"], others)
    moved = (given[site] != plain[site]).any(axis=-1) & ~np.isnan(plain[site]).any(axis=-1)
    assert np.array_equal(moved, plain.encoded.mask("e1"))
    assert relative_error(given.next_logits, plain.next_logits) > 2 * rounding(model)


def test_random_states_are_as_long_and_point_elsewhere(model, prompts):
    states = states_of(model, prompts, model.layers, at="e1")
    for layer, noise in noise_like(states, seed=0).items():
        own = states[layer]
        long = np.linalg.norm(own, axis=1)
        assert np.allclose(np.linalg.norm(noise, axis=1), long, rtol=1e-5)
        cosines = (own * noise).sum(axis=1) / long**2
        assert np.abs(cosines).max() < 6 / np.sqrt(model.d_model)
