"""A tuned lens is the model's own read-out of h + W h + b, at the depth it was made for.

Zeros are the logit lens, bit for bit; after the last block there is no map, so no lens of whatever
numbers moves the model's own output. The bite: other numbers move every depth before.

Source: contract of `interp.tuned_lens`; Belrose et al. 2023, arXiv:2303.08112.
"""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from interp import embed, relative_error, resid_post, rounding, run
from interp.depths import divergences, read_depths
from interp.errors import DataError
from interp.readers import Reader
from interp.tuned_lens import identity_lens, tuned_lens, write_lens

pytestmark = [pytest.mark.contract("lens")]
EVERY_LOGIT = Reader("every logit", lambda logits, *_: logits, ())


@pytest.fixture
def zeros(model):
    """The lens that is the logit lens."""
    return identity_lens(model)


@pytest.fixture
def drawn_lens(zeros):
    """A lens of random numbers, another map at each depth and no two alike."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=zeros.weights.shape) / np.sqrt(zeros.weights.shape[-1])
    biases = rng.normal(size=zeros.biases.shape)
    return replace(zeros, weights=weights.astype(np.float32), biases=biases.astype(np.float32))


def test_zeros_are_the_logit_lens_bit_for_bit(model, mixed_lengths, zeros):
    own = read_depths(model, mixed_lengths, read=EVERY_LOGIT, at="last")
    through = read_depths(model, mixed_lengths, read=EVERY_LOGIT, at="last", through=zeros)
    assert np.array_equal(own, through)


def test_every_depth_but_the_last_goes_through_its_own_map(model, mixed_lengths, drawn_lens):
    sites = [embed(), *(resid_post(layer) for layer in model.layers)]
    plain = run(model, mixed_lengths, capture=sites)
    found = read_depths(model, mixed_lengths, read=EVERY_LOGIT, at="last", through=drawn_lens)
    for depth, (weight, bias) in enumerate(zip(drawn_lens.weights, drawn_lens.biases, strict=True)):
        hidden = plain[sites[depth], "last"].astype(np.float64)
        moved = hidden + np.einsum("oi,ni->no", weight, hidden) + bias
        expected = model.backend.unembed(moved.astype(np.float32))
        assert relative_error(found[:, depth], expected) < rounding(model)
    assert relative_error(found[:, -1], plain.next_logits) < rounding(model)


def test_numbers_move_every_depth_but_the_last(model, mixed_lengths, drawn_lens):
    own = divergences(model, mixed_lengths)
    through = divergences(model, mixed_lengths, through=drawn_lens)
    assert (own[:, :-1] != through[:, :-1]).all()
    assert (through[:, -1] == 0).all()


def test_a_lens_comes_back_as_written_and_to_no_other_model(model, drawn_lens, tmp_path):
    write_lens(drawn_lens, tmp_path / "own", kind="params.safetensors")
    again = tuned_lens(model, tmp_path / "own")
    assert np.array_equal(again.weights, drawn_lens.weights)
    assert np.array_equal(again.biases, drawn_lens.biases)
    for key in ("unembed_hash", "base_model_sha256"):
        other = msgspec.structs.replace(drawn_lens.config, **{key: "0" * 64})
        write_lens(replace(drawn_lens, config=other), tmp_path / key, kind="params.safetensors")
        with pytest.raises(DataError, match=f"another model: its {key}"):
            tuned_lens(model, tmp_path / key)
