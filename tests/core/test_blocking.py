"""Attention is blocked alike in every family, under eager and sdpa, cached or not."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from interp import block_attention, generate, load, relative_error, rounding, run
from interp.errors import RequestError
from interp.resolve import write
from interp.sites import pattern

TEXTS = ["The capital of France is", "hot -> cold , big", "Paris is"]


def everywhere(model, **where):
    return [block_attention(layer, **where) for layer in range(model.n_layers)]


@pytest.fixture(scope="module")
def shown():
    """Loads the same weights with attention that shows its pattern, once."""
    return cache(lambda spec: load(replace(spec, attn_implementation="eager")))


@pytest.fixture
def eager(any_model, shown):
    """A tiny model of each family with attention that shows its pattern."""
    return shown(any_model.spec)


def test_both_kinds_of_attention_block_alike(any_model, eager):
    for where in ({"to": "first"}, {"to": "all"}, {"to": "first", "at": "last"}):
        ours, theirs = (run(one, TEXTS, *everywhere(one, **where)) for one in (any_model, eager))
        assert relative_error(ours.next_logits, theirs.next_logits) < rounding(any_model)
        assert relative_error(run(eager, TEXTS).next_logits, theirs.next_logits) > 1e-4


def test_who_sees_nothing_else_sees_itself(eager):
    seen = run(eager, TEXTS, block_attention(1, to="all"), capture=[pattern(1)])
    for row, length in enumerate(seen.encoded.lengths):
        own = seen[pattern(1)][row, :, :length, :length]
        assert np.allclose(own, np.eye(length), atol=1e-6)


def test_blocked_edges_are_gone_in_one_head_and_the_rest_is_scaled_up(eager):
    edit = block_attention(1, to="first").on_heads(0)
    before, after = (run(eager, TEXTS, *one, capture=[pattern(1)]) for one in ((), (edit,)))
    for row, length in enumerate(before.encoded.lengths):
        old, new = (one[pattern(1)][row, :, :length, :length] for one in (before, after))
        expected = old[0].copy()
        expected[1:, 0] = 0
        assert np.allclose(new[0], expected / expected.sum(-1, keepdims=True), atol=1e-5)
        assert np.array_equal(new[1:], old[1:])


def test_cached_decoding_equals_reading_everything_again(any_model):
    edits = everywhere(any_model, to="first")
    text = TEXTS[0]
    cached = generate(any_model, [text], *edits, max_new_tokens=4)
    ids, writes = list(cached.encoded.ids[0]), []
    for token in cached.new_ids[0]:
        encoded = replace(cached.encoded, ids=(tuple(ids),), masks={})
        writes = [write(any_model, encoded, edit) for edit in edits]
        assert int(any_model.backend.forward([ids], writes).logits[0].argmax()) == token
        ids.append(token)


def test_two_blocks_at_one_place_add_up(any_model):
    first, last = (block_attention(1, at="last", to=to) for to in ("first", "all"))
    both, widest = (run(any_model, TEXTS, *edits) for edits in ((first, last), (last,)))
    assert np.array_equal(both.next_logits, widest.next_logits)
    assert both.ledger[0].delta_norm > 0


def test_a_phase_is_a_phase(any_model):
    asked = block_attention(0, to="first").during("prompt")
    answered = block_attention(0, to="first").during("generated")
    whole = block_attention(0, to="first")
    fired = [
        generate(any_model, TEXTS, edit, max_new_tokens=3).ledger[0].fired
        for edit in (asked, answered, whole)
    ]
    assert fired[0] + fired[1] == fired[2]
    with pytest.raises(RequestError, match="run decodes nothing"):
        run(any_model, TEXTS, answered)


def test_what_comes_later_is_not_seen_anyway_and_refused(any_model):
    with pytest.raises(RequestError, match="must fire on every value"):
        run(any_model, TEXTS, block_attention(0, at="first", to="last"))


def test_no_such_head_and_no_such_layer(any_model):
    for edit in (block_attention(0, to="first").on_heads(99), block_attention(99, to="first")):
        with pytest.raises(RequestError, match="no such"):
            run(any_model, TEXTS, edit)
