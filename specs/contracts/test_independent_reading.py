"""What we read is what the engine itself says, without any of our padding, hooks or decoding.

Logits, every layer's residual stream and greedy tokens are compared, row by row, with the engine's
own. The bite: a stream read one layer off is something else.

Source: contract of `interp.run` and `interp.generate`.
"""

import numpy as np
import pytest

from interp import final_norm, generate, relative_error, resid_post, resid_pre, rounding, run


@pytest.mark.contract("run")
def test_logits_are_the_engine_s(model, mixed_lengths):
    ours = run(model, mixed_lengths, logits_at="all")
    for row, ids in enumerate(ours.encoded.ids):
        theirs = model.backend.reference.logits(ids)
        assert relative_error(ours.logits[row, : len(ids)], theirs) < rounding(model)


@pytest.mark.contract("run")
def test_captured_streams_are_the_engine_s(model, mixed_lengths):
    sites = [*(resid_pre(layer) for layer in model.layers), final_norm()]
    ours = run(model, mixed_lengths, capture=sites)
    for row, ids in enumerate(ours.encoded.ids):
        states = model.backend.reference.hidden_states(ids)
        for site, state in zip(sites, states, strict=True):
            assert relative_error(ours[site][row, : len(ids)], state) < rounding(model)


@pytest.mark.contract("run")
def test_a_stream_one_layer_off_is_something_else(model, mixed_lengths):
    sites = [resid_post(layer) for layer in model.layers]
    ours = run(model, mixed_lengths, capture=sites)
    states = model.backend.reference.hidden_states(ours.encoded.ids[0])
    errors = [relative_error(ours[s, "last"][0], states[s.layer][-1]) for s in sites]
    assert min(errors) > 2 * rounding(model)


@pytest.mark.contract("generate")
def test_greedy_tokens_are_the_engine_s(model, mixed_lengths):
    ours = generate(model, mixed_lengths, max_new_tokens=6)
    for ids, new in zip(ours.encoded.ids, ours.new_ids, strict=True):
        assert model.backend.reference.generate(ids, 6) == new


@pytest.mark.contract("run")
def test_every_prompt_begins_with_one_bos_and_nothing_twice(model, mixed_lengths):
    rows = model.encode(mixed_lengths).ids
    starts = {row[0] for row in rows}
    bos = model.backend.tokenizer.bos_id
    expected = {bos} if bos is not None and model.backend.tokenizer.adds_bos else starts
    assert starts == expected
    assert all(np.count_nonzero(np.array(row) == bos) <= 1 for row in rows)
