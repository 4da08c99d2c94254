"""A head is a head: an edit of one leaves the others, and together they are what attention adds.

The bias of the output projection belongs to no head. What attention adds with every head at zero
is that bias alone, so it needs no weight to be looked up.

Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

import numpy as np
import pytest

from interp import ablate, attn_out, patch, relative_error, rounding, run, z
from interp.sites import head_out, pattern, v

DEPTHS = pytest.mark.parametrize("depth", ["first", "middle", "last"])


def available(model, *names):
    """Skip where this model refuses a site: the self-check says why."""
    for name in names:
        if name in model.backend.info.refused:
            pytest.skip(f"{name}: {model.backend.info.refused[name]}")


@DEPTHS
@pytest.mark.contract("z")
def test_a_patched_head_is_another_prompt_s_and_the_others_stay(model, mixed_lengths, depth):
    available(model, "z")
    site = z(model.layer(depth))
    plain = run(model, mixed_lengths, capture=[site])[site, "last"]
    others = np.roll(plain, 1, axis=0)
    edit = patch(site, others[:, [1]], at="last").on_heads(1)
    after = run(model, mixed_lengths, edit, capture=[site])[site, "last"]
    assert relative_error(after[:, 1], others[:, 1]) < rounding(model)
    assert np.array_equal(np.delete(after, 1, axis=1), np.delete(plain, 1, axis=1))


@DEPTHS
@pytest.mark.contract("head_out")
def test_heads_and_one_bias_are_what_attention_adds(model, mixed_lengths, depth):
    available(model, "z", "head_out", "attn_out")
    layer = model.layer(depth)
    plain = run(model, mixed_lengths, capture=[z(layer), head_out(layer), attn_out(layer)])
    nothing = ablate(z(layer), how="zero", reference=plain[z(layer), "last"])
    bias = run(model, mixed_lengths, nothing, capture=[attn_out(layer)])[attn_out(layer), "last"]
    summed = plain[head_out(layer), "last"].sum(axis=1) + bias
    assert relative_error(summed, plain[attn_out(layer), "last"]) < rounding(model)
    assert relative_error(bias, plain[attn_out(layer), "last"]) > rounding(model)


@DEPTHS
@pytest.mark.contract("pattern")
def test_a_head_puts_out_its_pattern_over_the_values(model, mixed_lengths, depth):
    available(model, "pattern", "v", "z")
    seen = [site(model.layer(depth)) for site in (pattern, v, z)]
    base = run(model, mixed_lengths, capture=seen)
    weights, values, out = (np.nan_to_num(base[site]) for site in seen)
    values = values.repeat(out.shape[2] // values.shape[2], axis=2)
    weighed = np.einsum("bhqk,bkhd->bqhd", weights, values)
    real = ~np.isnan(base[seen[2]])
    assert relative_error(weighed[real], out[real]) < rounding(model)
    assert relative_error(values[real], out[real]) > rounding(model)
