"""Every family that both engines have is the same on both, edited, decoded and padded."""

import numpy as np
import pytest

from interp import generate, load, random_direction, resid_post, run, steer
from interp.errors import RequestError
from interp.sites import pattern

TEXTS = ["The capital of France is", "hot -> cold , big", "Paris"]
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5e5,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
SHORT = ["sliding_attention", "sliding_attention", "full_attention"] * 2
FAMILIES = {
    "llama": ("llama", {}, 2e-5),
    "llama, another theta": ("llama", {"rope_parameters": {"rope_theta": 5e5}}, 2e-5),
    "llama, scaled rope": ("llama", {"rope_parameters": LLAMA3}, 2e-5),
    "mistral": ("mistral", {}, 2e-5),
    "qwen2": ("qwen2", {}, 2e-5),
    "qwen2, another theta": ("qwen2", {"rope_parameters": {"rope_theta": 5e4}}, 2e-5),
    "qwen3": ("qwen3", {}, 2e-5),
    "gemma2": ("gemma2", {}, 2e-5),
    "gemma2, another theta": ("gemma2", {"rope_parameters": {"rope_theta": 5e4}}, 2e-5),
    "gemma3": ("gemma3_text", {"num_hidden_layers": 6}, 2e-3),  # sqrt(d_model) is rounded
    "gemma3, another pattern": (
        "gemma3_text",
        {"num_hidden_layers": 6, "layer_types": SHORT, "sliding_window": 4},
        2e-3,
    ),
    "gpt2": ("gpt2", {"n_inner": 128}, 2e-5),
    "gpt_neox": ("gpt_neox", {"intermediate_size": 128}, 2e-3),  # another GELU
}


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request, twin):
    """The same twin on both engines, and what mlx-lm itself rounds."""
    family, config, tolerance = FAMILIES[request.param]
    folder = str(twin(family, **config))
    theirs, ours = (load(folder, backend=name) for name in ("torch", "mlx"))
    yield theirs, ours, tolerance
    ours.close()


def test_a_family_is_the_same_on_both_engines(pair):
    theirs, ours, tolerance = pair
    plain = [run(model, TEXTS, logits_at="all").logits for model in (theirs, ours)]
    assert np.nanmax(np.abs(plain[0] - plain[1])) < tolerance
    site = resid_post(2)
    push = random_direction(ours, site, seed=0)
    pushed = [
        run(model, TEXTS, steer(site, push, alpha=2.0, at="last"), logits_at="all").logits
        for model in (theirs, ours)
    ]
    assert np.nanmax(np.abs(pushed[0] - pushed[1])) < 5 * tolerance
    assert np.nanmax(np.abs(pushed[0] - plain[0])) > 50 * tolerance
    tokens = [generate(model, TEXTS, max_new_tokens=5).new_ids for model in (theirs, ours)]
    assert tokens[0] == tokens[1]


def test_what_a_family_refuses_is_the_same_on_both_engines(pair):
    theirs, ours, _ = pair
    assert {*ours.backend.info.refused} - {*theirs.backend.info.refused} <= {"pattern"}
    with pytest.raises(RequestError, match="not available on this model"):
        run(ours, TEXTS, capture=[pattern(0)])


def test_info_is_the_same_on_both_engines(pair):
    theirs, ours, _ = pair
    for name in ("family", "n_layers", "n_heads", "n_kv_heads", "d_model", "d_head", "d_vocab",
                 "max_length", "dtype", "fingerprint", "end_ids"):  # fmt: skip
        assert getattr(ours.backend.info, name) == getattr(theirs.backend.info, name), name
