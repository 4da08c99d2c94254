"""What a planned sweep takes: the closed forms, memory, and the calls that planning needs."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from interp import (
    kept,
    patch,
    planning,
    resid_post,
    resid_pre,
    run,
    steer,
    sweep,
    z,
)
from interp.backends.torch_sharing import TorchSharing
from interp.grids import Work
from interp.means import Means, given
from interp.prompts import Prompt, PromptSet
from interp.readers import Reader, likeliest
from interp.resolve import write
from interp.sites import layer_pairs

TEXTS = ["The capital of France is Paris .", "hot -> cold , big", "How do I steal the car ? I"]
VECTORS = np.random.default_rng(0).normal(size=(6, 32)).astype(np.float32)


def logits_of(done):
    return done.logits


def back_patches(model, texts):
    given = run(model, texts, capture=[resid_post(layer) for layer in model.layers])
    return [
        (patch(resid_pre(early), given[resid_post(late), "last"], at="last"),)
        for early, late in layer_pairs(model.n_layers)
    ]


def planned_set(texts):
    return PromptSet("texts", tuple(Prompt(text=text) for text in texts))


def tokens(model, texts):
    return sum(model.encode(planned_set(texts)).lengths)


def test_back_patching_takes_what_the_closed_form_says(llama):
    layers, prompts = llama.n_layers, len(TEXTS)
    grid = sweep(llama, TEXTS, back_patches(llama, TEXTS), read=likeliest)
    once = tokens(llama, TEXTS) * layers
    cones = prompts * layers * (layers + 1) * (2 * layers + 1) // 6
    assert grid.work.layer_tokens == once + cones
    assert grid.work.head_rows == prompts * layers * (layers + 1) // 2
    assert grid.work.one_by_one == once * layers * (layers + 1) // 2


def test_heads_take_what_the_closed_form_says(llama):
    value = np.ones((1, 8), np.float32)
    heads = [
        (steer(z(layer), value, at="last").on_heads(head),)
        for layer in range(4)
        for head in range(4)
    ]
    grid = sweep(llama, TEXTS, heads, read=likeliest)
    assert grid.work.layer_tokens == tokens(llama, TEXTS) * 4 + 3 * 4 * (4 + 3 + 2 + 1)
    assert grid.work.head_rows == 3 * 4 * 4


def test_steering_everywhere_takes_the_layers_above_and_no_dose_nothing(llama):
    variants = [
        (steer(resid_post(layer), VECTORS[0], alpha=alpha),)
        for layer in range(3) for alpha in (0.0, 1.0, 2.0)
    ]  # fmt: skip
    grid = sweep(llama, TEXTS, [(), (), *variants], read=likeliest)
    assert grid.work.layer_tokens == tokens(llama, TEXTS) * (4 + 2 * (3 + 2 + 1))


def test_decoding_takes_each_new_token_once_and_idle_rows_once(llama):
    variants = [
        (steer(resid_post(layer), 4 * VECTORS[0], alpha=alpha).during("generated"),)
        for layer in range(3) for alpha in (0.0, 1.0, 2.0)
    ]  # fmt: skip
    lengths = []
    grid = sweep(
        llama, TEXTS, variants, max_new_tokens=6,
        read=lambda one: lengths.append([len(new) for new in one.new_ids]) or np.zeros(3),
    )  # fmt: skip
    fed = np.array(lengths) - 1
    rows = fed[[0, 1, 2, 4, 5, 7, 8]].sum()  # the variants without a dose are one row a prompt
    assert grid.work.layer_tokens == 4 * (tokens(llama, TEXTS) + rows)
    assert grid.work.head_rows == rows + 3 * 7


def test_one_cell_takes_no_more_than_a_plain_run(llama):
    edit = steer(resid_post(1), VECTORS[0], at="last")
    grid = sweep(llama, TEXTS, [(edit,)], read=likeliest)
    assert grid.rung.name == "plain"
    assert grid.work == Work(tokens(llama, TEXTS) * 4, tokens(llama, TEXTS) * 4, len(TEXTS))


OURS = str(Path(planning.__file__).parent)


def planning_calls(model, cells):
    """How many calls of ours it takes to plan that many cells; those that check shapes are none."""
    given = run(model, TEXTS, capture=[resid_post(3)])[resid_post(3), "last"]
    variants = [(patch(resid_pre(n % 4), given + np.float32(n), at="last"),) for n in range(cells)]
    encoded, calls = model.encode(planned_set(TEXTS)), 0

    def count(frame, event, _argument):
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(OURS)

    sys.setprofile(count)
    try:
        once, _ = planning.distinct(variants)
        writes = [[write(model, encoded, edit) for edit in variant] for variant in once]
        grid = planning.cells(encoded.lengths, writes, 4)
        for chunk in planning.trunks(grid, 4096):
            planning.trunk_plan(grid, chunk, encoded.ids)
            for batch in planning.batches(grid, planning.of_prompts(grid, chunk), 1024):
                planning.wave(batch, chunk)
    finally:
        sys.setprofile(None)
    return calls


def test_planning_grows_with_the_cells_and_not_with_their_square(llama):
    small, large = planning_calls(llama, 68), planning_calls(llama, 272)
    assert small > 68
    assert large < 4.4 * small


def test_a_cell_takes_a_few_calls_to_plan(llama):
    """Resolving each variant once is most of it; rows of a wave take none each."""
    assert (planning_calls(llama, 272) - planning_calls(llama, 68)) / (272 - 68) < 60


def test_what_writes_have_in_common_is_read_once(llama, tmp_path, monkeypatch):
    """Ten variants of four values at one place: four values, one mask, and two doses each."""
    read, right = [], kept._sha256
    monkeypatch.setattr(kept, "_sha256", lambda array: read.append(array.shape) or right(array))
    done = run(llama, TEXTS, capture=[resid_post(layer) for layer in llama.layers])
    values = [done[resid_post(layer), "last"] for layer in llama.layers]
    pairs = layer_pairs(llama.n_layers)
    variants = [(patch(resid_pre(early), values[late], at="last"),) for early, late in pairs]
    with given(Means(kept=tmp_path)):
        sweep(llama, TEXTS, variants, read=likeliest)
    assert sorted(Counter(read).values()) == [1, 4, 20]


def test_a_reader_never_holds_the_logits_of_all_rows(llama, monkeypatch):
    held = []

    def read(_reader, _encoded, _rows, logits):
        held.append(len(logits))
        return logits.argmax(axis=-1)

    monkeypatch.setattr(Reader, "read", read)
    monkeypatch.setattr("interp.readers.BLOCK", 4 * llama.backend.info.d_vocab * 5)
    sweep(llama, TEXTS, back_patches(llama, TEXTS), read=likeliest)
    assert max(held) == 5
    assert sum(held) == 30


@pytest.mark.parametrize("new", [None, 4])
def test_the_rows_that_the_head_is_given_are_counted(llama, monkeypatch, new):
    """What the unembedding itself sees, with nothing audited."""
    monkeypatch.setattr("interp.reading.audit", lambda *_: 0.0)
    monkeypatch.setattr("interp.continuing.audit_decoded", lambda *_: 0.0)
    tries = [(layer, alpha) for layer in range(3) for alpha in (0.0, 1.0)]
    variants = [(steer(resid_post(n), 4 * VECTORS[n], alpha=one),) for n, one in tries]
    sweep(llama, TEXTS, variants, read=likeliest)  # the model is probed at its first sweep
    seen, head = [], llama.backend._model.get_output_embeddings()
    handle = head.register_forward_hook(lambda *given: seen.append(given[2].shape[:-1].numel()))
    try:
        read = likeliest if new is None else lambda one: np.zeros(len(one.new_ids))
        grid = sweep(llama, TEXTS, variants, read=read, max_new_tokens=new)
    finally:
        handle.remove()
    assert grid.work.head_rows == sum(seen)


def test_the_order_is_a_function_of_the_grid(llama, monkeypatch):
    seen, right = [], TorchSharing.wave

    def noted(self, trunk, wave, *, keep=False):
        seen.append((wave.prompt.tolist(), wave.joins.tolist(), wave.width))
        return right(self, trunk, wave, keep=keep)

    monkeypatch.setattr(TorchSharing, "wave", noted)
    for _ in range(2):
        sweep(llama, TEXTS, back_patches(llama, TEXTS), read=likeliest)
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]


def test_the_last_layer_is_whole_only_where_keys_are_made(llama):
    given = run(llama, TEXTS, capture=[resid_post(2)])[resid_post(2), "first"]
    other = np.roll(given, 1, axis=0) + 1
    edits = [(patch(resid_pre(layer), other, at="first"),) for layer in (1, 2, 3)]
    plain = [likeliest(run(llama, TEXTS, *variant)) for variant in edits]
    counts = [[], []]
    handles = [
        block.adds_mlp.register_forward_hook(
            lambda _m, _a, made, seen=seen: seen.append(made.shape[:2].numel())
        )
        for block, seen in zip(llama.backend.sharing.hooked.blocks[-2:], counts, strict=True)
    ]
    try:
        grid = sweep(llama, TEXTS, edits, read=likeliest)
    finally:
        for handle in handles:
            handle.remove()
    np.testing.assert_array_equal(grid.values, plain)
    assert grid.rung.name == "cone"
    before, last = map(sum, counts)  # of prompts and of the audit, both have the same
    assert before - last == 2 * tokens(llama, TEXTS) - 3 * len(TEXTS)
