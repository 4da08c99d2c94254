"""Tuned lenses as files: the hash of the unembedding, what is refused, and where they are found."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interp.charts import to_json
from interp.depths import divergences
from interp.errors import DataError, InconclusiveError, NonFiniteError, RequestError
from interp.lens import logit_lens
from interp.lens_files import PUBLISHED, lens_folder, without_lens
from interp.metrics import kl_divergence
from interp.prompts import Prompt, PromptSet
from interp.readers import unembedded
from interp.registry import ModelSpec
from interp.resolution import first_in_top
from interp.runs import run
from interp.sites import final_norm, resid_post
from interp.tuned_lens import (
    identity_lens,
    printed_hash,
    read_lens,
    tuned_lens,
    unembed_hash,
    write_lens,
)

TEXTS = {"The capital of France is": "Paris", "One": "two", "A cat and a": "dog"}


@pytest.fixture
def asked():
    made = (Prompt(text=text, answers=(answer,)) for text, answer in TEXTS.items())
    return PromptSet("asked", tuple(made))


@pytest.fixture
def lens(llama):
    """A lens of random numbers for the tiny Llama."""
    zeros, rng = identity_lens(llama), np.random.default_rng(0)
    return replace(
        zeros,
        weights=rng.normal(size=zeros.weights.shape).astype(np.float32),
        biases=rng.normal(size=zeros.biases.shape).astype(np.float32),
    )


@pytest.fixture
def saved(lens, tmp_path):
    """That lens as it is published."""
    write_lens(lens, tmp_path / "lens")
    return tmp_path / "lens"


def published_hash(matrix):
    """What the library of the published lenses computes of a whole matrix."""
    return hashlib.sha256(np.array_str(matrix, precision=1).encode()).hexdigest()


def test_the_hash_is_that_of_the_whole_printed_matrix(any_model):
    info = any_model.backend.info
    whole = any_model.backend.reference.unembedding(range(info.d_vocab))
    assert whole.shape == (info.d_vocab, info.d_model)
    assert unembed_hash(any_model) == published_hash(whole)


def test_the_rows_of_the_head_make_the_logits_of_normed_states(llama):
    rows = llama.backend.reference.unembedding([3, 1])
    normed = run(llama, ["One two three"], capture=[final_norm()])[final_norm(), "last"]
    logits = run(llama, ["One two three"]).next_logits
    assert np.allclose(normed @ rows.T, logits[:, [3, 1]], atol=1e-4)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(-6, 9), st.integers(0, 9))
def test_corners_are_enough(n_rows, width, magnitude, seed):
    matrix = np.random.default_rng(seed).normal(size=(n_rows, width)) * 10.0**magnitude
    matrix = matrix.astype(np.float32)
    long = matrix.size > 1000
    few = np.concatenate([matrix[:4], matrix[-3:]]) if long and n_rows > 6 else matrix
    assert printed_hash(few, abbreviated=long) == published_hash(matrix)


def test_the_hash_is_whatever_numpy_is_set_to_print(llama):
    expected = unembed_hash(llama)
    with np.printoptions(edgeitems=1, linewidth=40, suppress=True, sign="+", threshold=1):
        assert unembed_hash(llama) == expected


def test_half_precision_has_the_hash_of_its_numbers():
    half = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float16)
    ends = np.concatenate([half[:4], half[-3:]]).astype(np.float32)
    assert printed_hash(ends, abbreviated=True) == published_hash(half)


def test_a_lens_is_written_in_the_published_names(saved, lens):
    table, depths = torch.load(saved / "params.pt", weights_only=True), range(len(lens.weights))
    assert set(table) == {f"{d}.{part}" for d in depths for part in ("weight", "bias")}
    assert torch.equal(table["1.weight"], torch.tensor(lens.weights[1]))
    said = json.loads((saved / "config.json").read_text())
    assert {"base_model_name_or_path", "d_model", "unembed_hash", "lens_type"} <= said.keys()


def test_a_lens_comes_back(saved, lens, llama):
    again = tuned_lens(llama, saved)
    assert np.array_equal(again.weights, lens.weights)
    assert np.array_equal(again.biases, lens.biases)
    assert again.config == lens.config


def test_half_precision_and_no_bias_are_read(saved, lens):
    said = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(said | {"bias": False}))
    half = {f"{d}.weight": torch.tensor(one).half() for d, one in enumerate(lens.weights)}
    torch.save(half, saved / "params.pt")
    again = read_lens(saved)
    assert np.array_equal(again.weights, lens.weights.astype(np.float16).astype(np.float32))
    assert not again.biases.any()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"num_hidden_layers": 3}, "not those of this config"),
        ({"d_model": 8}, "not those of this config"),
        ({"bias": False}, "not those of this config"),
        ({"lens_type": "lora_lens"}, "only a linear lens"),
        ({"rank": 4}, "readable config.json"),
    ],
)
def test_a_config_that_is_not_of_these_maps_is_refused(saved, change, rule):
    said = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(said | change))
    with pytest.raises(DataError, match=rule):
        read_lens(saved)


def test_a_torn_file_two_files_and_no_file_are_refused(saved, lens):
    whole = (saved / "params.pt").read_bytes()
    (saved / "params.pt").write_bytes(whole[:-100])
    with pytest.raises(DataError, match="torn"):
        read_lens(saved)
    write_lens(lens, saved, kind="params.safetensors")
    with pytest.raises(DataError, match="in one file"):
        read_lens(saved)
    (saved / "params.pt").unlink()
    assert read_lens(saved).config == lens.config
    (saved / "params.safetensors").unlink()
    with pytest.raises(DataError, match="in one file"):
        read_lens(saved)


def test_a_map_that_is_not_finite_is_refused(saved, lens):
    weights = lens.weights.copy()
    weights[1, 0, 0] = np.nan
    write_lens(replace(lens, weights=weights), saved)
    with pytest.raises(NonFiniteError, match="NaN"):
        read_lens(saved)


def test_a_lens_of_another_depth_or_width_is_refused(saved, tiny):
    with pytest.raises(DataError, match="another model"):
        tuned_lens(tiny("gpt2"), saved)


def test_a_lens_without_a_hash_is_refused(saved, llama):
    said = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(said | {"unembed_hash": None}))
    with pytest.raises(DataError, match="its unembed_hash differs"):
        tuned_lens(llama, saved)


def test_the_entry_of_a_model_says_where_its_lens_is(saved):
    spec = ModelSpec("m", "x", is_local=True, lens_path=str(saved))
    assert lens_folder(spec) == saved
    assert without_lens(spec) == ""
    (saved / "params.pt").unlink()
    assert lens_folder(spec) is None
    assert "not here: params.pt" in without_lens(spec)
    assert "names no tuned lens" in without_lens(ModelSpec("m", "x", is_local=True))


def test_a_published_lens_is_looked_for_in_the_cache(saved, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    spec = ModelSpec("gpt2", "openai-community/gpt2", is_local=False, lens="gpt2")
    assert lens_folder(spec) is None
    assert f"hf download {PUBLISHED} --repo-type space" in without_lens(spec)
    space = tmp_path / "hub" / f"spaces--{PUBLISHED.replace('/', '--')}"
    (space / "refs").mkdir(parents=True)
    (space / "refs" / "main").write_text("a" * 40)
    folder = space / "snapshots" / ("a" * 40) / "lens" / "gpt2"
    folder.parent.mkdir(parents=True)
    saved.rename(folder)
    assert lens_folder(spec) == folder
    assert without_lens(spec) == ""


def test_divergence_is_from_the_output(any_model, asked):
    found = divergences(any_model, asked)
    site = resid_post(0)
    plain = run(any_model, asked, capture=[site])
    early = unembedded(any_model, plain[site, "last"])
    assert found.shape == (len(asked), any_model.n_layers + 1)
    assert np.allclose(found[:, 1], kl_divergence(plain.next_logits, early), atol=1e-4)
    assert (found[:, -1] == 0).all()


def test_controls_keep_the_numbers_and_lose_their_place(lens):
    shifted, shuffled = lens.of_other_depths(1), lens.shuffled(seed=0)
    assert np.array_equal(shifted.weights[0], lens.weights[1])
    assert np.array_equal(shifted.biases[-1], lens.biases[0])
    assert np.array_equal(np.sort(shuffled.weights, axis=2), np.sort(lens.weights, axis=2))
    assert not np.array_equal(shuffled.weights, lens.weights)
    with pytest.raises(RequestError, match="keep its map"):
        lens.of_other_depths(len(lens.weights))


def test_figures_are_named_after_their_lens(llama, asked, lens):
    assert logit_lens(llama, asked, through=lens).chart().title.startswith("Tuned lens")
    chart = first_in_top(llama, asked, k=3, through=lens).chart()
    assert to_json(chart)
    assert [line.role for line in chart.plots[0].lines] == ["measured", "control"]


def test_a_top_k_needs_others_answers_and_tokens(llama, asked):
    with pytest.raises(RequestError, match="a share of the vocabulary"):
        first_in_top(llama, asked, k=0)
    with pytest.raises(RequestError, match="a prompt has none"):
        first_in_top(llama, PromptSet("bare", (Prompt(text="One"),)), k=1)
    same = PromptSet("same", tuple(Prompt(text=text, answers=("two",)) for text in TEXTS))
    with pytest.raises(InconclusiveError, match="no other"):
        first_in_top(llama, same, k=1)
