"""Every supported family loads, passes the self-check, and refuses what it does not have."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from interp import (
    final_norm,
    generate,
    moved,
    random_direction,
    relative_error,
    resid_post,
    rounding,
    run,
    steer,
)
from interp.backends.protocol import Write
from interp.errors import RequestError
from interp.sites import Site, head_out

TEXTS = ["The capital of France is", "hot -> cold , big", "Paris"]


def test_the_model_equals_transformers(any_model, folder_of):
    family = any_model.id.removeprefix("tiny-")
    plain = AutoModelForCausalLM.from_pretrained(folder_of(family), dtype=torch.float32)
    ours = run(any_model, TEXTS)
    for row, ids in enumerate(ours.encoded.ids):
        theirs = plain(torch.tensor([ids])).logits[0, -1].detach().numpy()
        assert relative_error(ours.next_logits[row], theirs) < rounding(any_model)


def test_all_sites_but_known_exceptions_are_verified(any_model):
    refused = set(any_model.backend.info.refused)
    fused = {"q", "k", "v"} if any_model.id in ("tiny-gpt2", "tiny-gpt_neox") else set()
    parallel = {"resid_mid"} if any_model.id == "tiny-gpt_neox" else set()
    sandwich = {"head_out"} if "gemma" in any_model.id else set()
    eager = any_model.backend.info.attn_implementation == "eager"
    assert refused == fused | parallel | sandwich | (set() if eager else {"pattern"})


def test_a_refused_site_says_why(tiny):
    with pytest.raises(RequestError, match="not available on this model"):
        run(tiny("gpt2"), TEXTS, capture=[Site("q", 0)])


def test_steering_moves_and_steering_by_zero_does_not(any_model):
    site = resid_post(any_model.layer("middle"))
    plain = run(any_model, TEXTS, logits_at="all")
    for alpha, expected in ((0.0, 0), (1.0, sum(plain.encoded.lengths))):
        edit = steer(
            site, random_direction(any_model, site, seed=0), alpha=alpha, unit="median_norm"
        )
        assert moved(run(any_model, TEXTS, edit, logits_at="all"), plain).sum() == expected


def test_steered_decoding_with_a_cache_equals_recomputing_everything(any_model):
    site = resid_post(1)
    push = steer(site, random_direction(any_model, site, seed=0), alpha=2.0, unit="median_norm")
    text = TEXTS[0]
    cached = generate(any_model, [text], push, max_new_tokens=5)
    ids = list(cached.encoded.ids[0])
    vector = push.vector * np.float32(cached.ledger[0].alpha)
    for token in cached.new_ids[0]:
        every, once = np.ones((1, len(ids)), dtype=bool), np.ones(1, np.float32)
        write = Write(site, "add", vector, once, every, np.zeros(1, dtype=bool))
        assert int(any_model.backend.forward([ids], [write]).logits[0].argmax()) == token
        ids.append(token)


def test_heads_sum_to_what_attention_adds(any_model):
    if "head_out" in any_model.backend.info.refused:
        pytest.skip("a norm stands between the heads and the residual stream in this family")
    plain = run(any_model, TEXTS, capture=[head_out(1), Site("attn_out", 1)])
    summed = plain[head_out(1)].sum(axis=2)
    bias = (plain[Site("attn_out", 1)] - summed)[0, 0]
    assert relative_error(summed + bias, plain[Site("attn_out", 1)]) < rounding(any_model)


def test_the_final_norm_can_be_captured(any_model):
    plain = run(any_model, TEXTS, capture=[final_norm()])
    assert plain[final_norm(), "last"].shape == (len(TEXTS), any_model.d_model)
