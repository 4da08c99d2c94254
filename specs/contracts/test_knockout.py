"""A knockout hides what it says: in these blocks, these tokens, while the prompt is read.

A window has k blocks on either side of its layer. Tokens drawn for comparison are as many as the
span has, never of it, and the same whatever else is in the batch. Edges that nothing reads cost
nothing, bit for bit; and decoding sees everything again.

Source: contract of `interp.knockout`; Geva et al. 2023, arXiv:2304.14767.
"""

import numpy as np
import pytest

from interp import block_attention, generate, relative_error, rounding, run, span, sweep
from interp.knockout import hide, window
from interp.positions import besides

pytestmark = pytest.mark.contract("block_attention")


@pytest.fixture
def prompts(model, mixed_lengths):
    """Rows in which something stands before the span, and something else behind it."""
    if model.backend.info.attn_implementation not in ("eager", "sdpa"):
        pytest.skip("this attention takes no mask that is known here")
    encoded = model.encode(mixed_lengths)
    at, size = encoded.indices("e1"), encoded.mask(span("e1")).sum(axis=1)
    others = np.array(encoded.lengths) - 1 - size
    return mixed_lengths.where((at < encoded.indices("last")) & (at > 0) & (others >= size))


@pytest.mark.parametrize(
    ("layer", "k", "expected"), [(3, 1, [2, 3, 4]), (0, 2, [0, 1, 2]), (7, 1, [6, 7]), (5, 0, [5])]
)
def test_a_window_has_so_many_blocks_on_either_side(layer, k, expected):
    edits = hide(window(layer, k, 8), to="e1")
    assert [edit.site.layer for edit in edits] == expected


def test_other_tokens_are_not_of_the_span_and_as_many_if_drawn(model, prompts):
    encoded = model.encode(prompts)
    inside, others, drawn = map(encoded.mask, (span("e1"), besides("e1"), besides("e1", draw=0)))
    assert (inside ^ others ^ encoded.mask("last") == encoded.mask("all")).all()
    assert (drawn <= others).all()
    assert drawn.sum(axis=1).tolist() == inside.sum(axis=1).tolist()
    alone = model.encode(prompts.where(np.arange(len(prompts)) == 1)).mask(besides("e1", draw=0))
    assert np.flatnonzero(alone[0]).tolist() == np.flatnonzero(drawn[1]).tolist()


def test_edges_that_nothing_reads_cost_nothing_and_those_below_do(model, prompts):
    last = model.layer("last")
    plain, dead, live = (
        run(model, prompts, *hide(range(*layers), to="first", at="e1"))
        for layers in ((0, 0), (last, last + 1), (0, last))
    )
    assert np.array_equal(dead.next_logits, plain.next_logits)
    assert (live.next_logits != plain.next_logits).any(axis=1).all()


def test_new_tokens_see_everything_again(model, prompts):
    edits = hide(model.layers, to="first", at="all")
    hidden = generate(model, prompts, *edits, max_new_tokens=3)
    longer = generate(model, prompts, *(one.during("all") for one in edits), max_new_tokens=3)
    seen = sum(hidden.encoded.lengths) - len(prompts)
    assert [entry.fired for entry in hidden.ledger] == [seen] * model.n_layers
    assert all(entry.fired > seen for entry in longer.ledger)


def test_a_sweep_tells_apart_what_is_hidden(model, prompts):
    layer = model.layer("first")
    tries = [(), *((block_attention(layer, at="last", to=to),) for to in ("first", "e1"))]
    grid = sweep(model, prompts, tries, read=lambda one: one.next_logits)
    plain = np.stack([run(model, prompts, *one).next_logits for one in tries])
    assert relative_error(grid.values, plain) < rounding(model)
    assert relative_error(plain[1], plain[2]) > 2 * rounding(model)
