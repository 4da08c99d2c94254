"""What an engine promises beyond numbers: dtypes, threads, and one decoding for all."""

import threading

import numpy as np
import pytest

from interp import generate, load, max_abs_diff, relative_error, resid_post, rounding, run, steer
from interp.backends.selfcheck import self_check
from interp.errors import RequestError
from interp.registry import ModelSpec

TEXTS = ["The capital of France is", "hot -> cold , big", "Paris"]
SITE = resid_post(1)


@pytest.fixture(scope="module", params=["bfloat16", "float16"])
def short(request, folder_of):
    """The tiny Llama in a short dtype."""
    return load(ModelSpec("short", str(folder_of("llama")), is_local=True), dtype=request.param)


def test_a_short_dtype_computes_short_and_reads_in_float32(short, llama):
    plain = run(short, TEXTS, capture=[SITE])
    assert plain[SITE].dtype == plain.logits.dtype == np.float32
    exact = run(llama, TEXTS, capture=[SITE])
    error = relative_error(plain[SITE], exact[SITE])
    assert rounding(llama) < error < 3 * rounding(short)


def test_alpha_zero_is_the_identity_in_a_short_dtype(short):
    plain = run(short, TEXTS, logits_at="all")
    zero = steer(SITE, np.ones(32, np.float32), alpha=0.0)
    assert max_abs_diff(run(short, TEXTS, zero, logits_at="all"), plain) == 0.0
    assert set(self_check(short.backend)) == {"pattern"}


def test_the_ledger_tells_what_rounding_left_of_a_small_dose(short, llama):
    tiny = steer(SITE, np.full(32, 1e-4, np.float32), at="last")
    intended = 1e-4 * 32**0.5
    (exact,) = run(llama, TEXTS, tiny).ledger
    (rounded,) = run(short, TEXTS, tiny).ledger
    assert exact.delta_norm == pytest.approx(intended, rel=0.01)
    assert rounded.delta_norm != pytest.approx(intended, rel=0.01)


def test_a_bfloat16_checkpoint_is_not_run_in_float16(llama_copy):
    config = llama_copy / "config.json"
    config.write_text(config.read_text().replace('"float32"', '"bfloat16"'))
    with pytest.raises(RequestError, match="does not fit float16"):
        load(ModelSpec("half", str(llama_copy), is_local=True), dtype="float16")


def test_two_threads_on_one_model_do_not_see_each_other_s_hooks(llama):
    plain = run(llama, TEXTS).logits
    push = steer(SITE, np.full(32, 5, np.float32))
    pushed = run(llama, TEXTS, push).logits
    wrong = []

    def work(edits, expected):
        seen = [run(llama, TEXTS, *edits).logits for _ in range(15)]
        wrong.extend(len(edits) for logits in seen if not np.array_equal(logits, expected))

    threads = [
        threading.Thread(target=work, args=(edits, expected))
        for edits, expected in (((), plain), ((push,), pushed)) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (pushed != plain).all(axis=-1).any()


def test_greedy_decoding_equals_transformers_own(llama, folder_of):
    import torch
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(folder_of("llama"), dtype=torch.float32)
    ours = generate(llama, TEXTS, max_new_tokens=6)
    for ids, new in zip(ours.encoded.ids, ours.new_ids, strict=True):
        out = theirs.generate(torch.tensor([ids]), max_new_tokens=6, do_sample=False)
        assert tuple(out[0, len(ids) :].tolist()) == new


def test_a_model_in_train_mode_is_refused(folder_of):
    model = load(ModelSpec("training", str(folder_of("gpt2")), is_local=True))
    model.backend._model.transformer.h[1].train()
    with pytest.raises(RequestError, match="train mode"):
        run(model, TEXTS)


def test_there_must_be_something_to_generate(llama):
    with pytest.raises(RequestError, match="nothing to generate"):
        generate(llama, TEXTS, max_new_tokens=0)
    only_new = steer(SITE, np.ones(32, np.float32)).during("generated")
    with pytest.raises(RequestError, match="fire on every value"):
        generate(llama, TEXTS, only_new, max_new_tokens=1)
    with pytest.raises(RequestError, match="run decodes nothing"):
        run(llama, TEXTS, only_new)


def test_a_run_as_a_frame(llama):
    frame = run(llama, TEXTS).frame()
    assert list(frame["prompt"]) == TEXTS
    texts = generate(llama, TEXTS, max_new_tokens=2).frame()["generated"]
    assert all(isinstance(text, str) for text in texts)


def test_more_vectors_than_positions_are_unembedded(any_model):
    hidden = np.random.default_rng(0).normal(size=(300, any_model.d_model)).astype(np.float32)
    few = any_model.backend.unembed(hidden[:20])
    assert np.abs(any_model.backend.unembed(hidden)[:20] - few).max() < 1e-4
