"""Attention that is blocked is gone, the rest sums to one, and all else stays bit for bit.

Source: contract of `interp.block_attention`; Geva et al. 2023, arXiv:2304.14767.
"""

import numpy as np
import pytest

from interp import block_attention, relative_error, resid_pre, rounding, run, z
from interp.errors import RequestError
from interp.sites import pattern, v

DEPTHS = pytest.mark.parametrize("depth", ["first", "middle", "last"])
pytestmark = pytest.mark.contract("run", "block_attention")


@pytest.fixture(autouse=True)
def _blocks(model, mixed_lengths):
    """Skip where attention is neither of the two that can be blocked: there it is refused."""
    if model.backend.info.attn_implementation not in ("eager", "sdpa"):
        with pytest.raises(RequestError, match="block"):
            run(model, mixed_lengths, block_attention(0, to="first"))
        pytest.skip("this attention takes no mask that is known here")


def available(model, *names):
    """Skip where this model refuses a site: the self-check says why."""
    for name in model.backend.info.refused.keys() & {*names}:
        pytest.skip(model.backend.info.refused[name])


@DEPTHS
def test_who_sees_nothing_else_puts_out_its_own_value(model, mixed_lengths, depth):
    available(model, "v", "z")
    layer = model.layer(depth)
    sites = [v(layer), z(layer)]
    alone = run(model, mixed_lengths, block_attention(layer, to="all"), capture=sites)
    own = alone[sites[0]].repeat(alone[sites[1]].shape[2] // alone[sites[0]].shape[2], axis=2)
    assert relative_error(alone[sites[1]], own) < rounding(model)
    plain = run(model, mixed_lengths, capture=sites)
    assert relative_error(plain[sites[1]], own) > 2 * rounding(model)


@DEPTHS
def test_a_blocked_edge_has_no_weight_and_the_rest_sums_to_one(model, mixed_lengths, depth):
    available(model, "pattern")
    layer = model.layer(depth)
    edit = block_attention(layer, at="last", to="e1").on_heads(1)
    runs = [run(model, mixed_lengths, *one, capture=[pattern(layer)]) for one in ((), (edit,))]
    last = runs[0].encoded.indices("last")
    before, after = (one[pattern(layer)][np.arange(len(last)), :, last] for one in runs)
    hidden = runs[0].encoded.mask("e1") & (np.arange(before.shape[2]) < last[:, None])
    assert (after[:, 1][hidden] == 0).all()
    assert (before[:, 1][hidden] > 0).all()
    assert relative_error(after[:, 1].sum(axis=-1), np.ones(len(last))) < rounding(model)
    assert np.array_equal(np.delete(after, 1, axis=1), np.delete(before, 1, axis=1))


@DEPTHS
def test_it_reaches_the_positions_that_see_less_and_no_others(model, mixed_lengths, depth):
    layer = model.layer(depth)
    below, sites = resid_pre(layer), [resid_pre(layer), z(layer)]
    edit = block_attention(layer, at="last", to="first").on_rows(0, 2)
    plain, blocked = (run(model, mixed_lengths, *edits, capture=sites) for edits in ((), (edit,)))
    assert np.array_equal(blocked[below], plain[below], equal_nan=True)
    apart = (blocked[z(layer)] != plain[z(layer)]) & ~np.isnan(plain[z(layer)])
    last = plain.encoded.mask("last") & np.isin(np.arange(len(apart)), [0, 2])[:, None]
    assert np.array_equal(apart.any(axis=(2, 3)), last)
    assert [entry.fired for entry in blocked.ledger] == [2]


def test_a_batch_equals_its_rows_alone(model, mixed_lengths):
    edits = [block_attention(layer, to="first") for layer in range(model.n_layers)]
    batch, plain = run(model, mixed_lengths, *edits), run(model, mixed_lengths)
    rows = np.flatnonzero(np.array(batch.encoded.lengths) > 1).tolist()
    each = ([mixed_lengths.prompts[row].text] for row in rows)
    alone = np.concatenate([run(model, one, *edits).next_logits for one in each])
    assert relative_error(batch.next_logits[rows], alone) < rounding(model)
    assert relative_error(plain.next_logits[rows], alone) > 2 * rounding(model)
