"""Twins of what shares its prompts in other ways, or not at all: the same numbers, and a reason."""

from importlib.metadata import version

import numpy as np
import pytest

from interp import generate, patch, relative_error, resid_post, resid_pre, rounding, run, sweep
from interp.backends.torch_twins import write_twin
from interp.models import load
from interp.registry import ModelSpec
from interp.sites import layer_pairs

EXPERTS = {
    "num_local_experts": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
APART = "plain: its layers do not run row by row (IndexError: list index out of range)"
SINCE_5 = ("qwen2_moe", "olmoe")  # transformers 4 gives them an attention that cannot be replaced
SHORT = {"sliding_window": 5}  # than every text
TWINS = {
    "mixtral": (EXPERTS, "cone"),
    "qwen2_moe": (EXPERTS, "cone"),
    "olmoe": (EXPERTS, "cone"),
    "mistral": (SHORT, "cone"),
    "gemma2": (SHORT, "cone"),
    "gemma3_text": (SHORT, "cone"),
    "gpt_oss": (EXPERTS | SHORT, "plain: this attention is not known (s_aux)"),
    "gptj": ({"n_embd": 32, "n_layer": 4, "n_head": 4, "rotary_dim": 8, "n_positions": 64}, APART),
}
TEXTS = ["The capital of France is Paris . hot -> cold", "hot -> cold , big", "How do I steal ?"]


@pytest.fixture(params=TWINS)
def twin(request, tmp_path):
    """A tiny model, and how its sweeps should be computed."""
    settings, rung = TWINS[request.param]
    if request.param in SINCE_5 and version("transformers").startswith("4."):
        rung = APART
    folder = write_twin(request.param, tmp_path / request.param, settings)
    return load(ModelSpec(f"tiny-{request.param}", str(folder), is_local=True)), rung


def new_ids_of(done):
    return np.array([str(new) for new in done.new_ids])


def test_a_sweep_gives_its_runs_and_says_how(twin):
    model, rung = twin
    last = run(model, TEXTS, capture=[resid_post(layer) for layer in model.layers])
    variants = [
        (patch(resid_pre(early), last[resid_post(late), "last"], at=at),)
        for early, late in layer_pairs(model.n_layers)
        for at in ("last", "first")
    ]
    grid = sweep(model, TEXTS, variants, read=lambda done: done.logits)
    plain = np.stack([run(model, TEXTS, *one).logits for one in variants])
    assert str(grid.rung) == rung
    assert relative_error(grid.values, plain) < rounding(model)
    some = variants[::4]
    told = sweep(model, TEXTS, some, read=new_ids_of, max_new_tokens=4)
    each = [new_ids_of(generate(model, TEXTS, *one, max_new_tokens=4)) for one in some]
    assert str(told.rung) == rung
    assert (told.values == each).all()
