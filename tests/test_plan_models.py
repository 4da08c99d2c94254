"""The real models of the registry: sizes from their published configurations, words for them."""

import re

import pytest

from interp.registry import load_registry, resolve
from interp.sources import availability, size_of

# As each config.json has them: width, layers, heads, key-value heads, width of a head, of the MLP,
# vocabulary, and whether the unembedding is the embedding.
PUBLISHED = {
    "gemma-2-2b-it": ("gemma2", 2304, 26, 8, 4, 256, 9216, 256000, True),
    "gemma-2-9b-it": ("gemma2", 3584, 42, 16, 8, 256, 14336, 256000, True),
    "gemma-2-27b-it": ("gemma2", 4608, 46, 32, 16, 128, 36864, 256000, True),
    "llama-3.2-1b": ("llama", 2048, 16, 32, 8, 64, 8192, 128256, True),
    "llama-3.2-3b": ("llama", 3072, 28, 24, 8, 128, 8192, 128256, True),
    "llama-3.1-8b": ("llama", 4096, 32, 32, 8, 128, 14336, 128256, False),
    "qwen2.5-0.5b-instruct": ("qwen2", 896, 24, 14, 2, 64, 4864, 151936, True),
    "qwen2.5-7b-instruct": ("qwen2", 3584, 28, 28, 4, 128, 18944, 152064, False),
    "qwen2.5-14b-instruct": ("qwen2", 5120, 48, 40, 8, 128, 13824, 152064, False),
}
NAMES = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
    *("head_dim", "intermediate_size", "vocab_size", "tie_word_embeddings"),
)
# What the index of the weight files on the hub says they hold, in bytes.
HELD = {
    ("gemma-2-27b-it", "torch"): 54_454_256_640,
    ("qwen2.5-7b-instruct", "torch"): 15_231_233_024,
    ("llama-3.1-8b-instruct", "mlx"): 4_517_404_672,
    ("llama-3.2-3b-instruct", "mlx"): 1_807_423_488,
}
PLAN = {
    "gemma": {"gemma-2-2b-it", "gemma-2-9b-it", "gemma-2-27b-it"},
    "llama": {f"llama-{size}" for size in ("3.2-1b", "3.2-3b", "3.1-8b")}
    | {f"llama-{size}-instruct" for size in ("3.2-1b", "3.2-3b", "3.1-8b")},
    "qwen": {"qwen2.5-7b-instruct", "qwen2.5-14b-instruct"},
}


@pytest.fixture(scope="module")
def registry(pytestconfig):
    return load_registry(pytestconfig.rootpath / "fixtures" / "models.toml")


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_configuration(registry, name):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    family, *values = PUBLISHED[name]
    config = AutoConfig.for_model(family, **dict(zip(NAMES, values, strict=True)))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert registry.specs[name].parameters == model.num_parameters()
    assert registry.specs[name].family == family


def test_a_chat_model_has_as_many_parameters_as_its_base(registry):
    for size in ("3.2-1b", "3.2-3b", "3.1-8b"):
        base, chat = registry.specs[f"llama-{size}"], registry.specs[f"llama-{size}-instruct"]
        assert base.parameters == chat.parameters


def test_a_shipped_model_has_the_parameters_that_its_entry_says(registry):
    from math import prod

    from safetensors import safe_open

    spec = registry.specs["llama-world"]
    with safe_open(f"{spec.source}/model.safetensors", "np") as file:
        held = sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118  it is no mapping
    assert spec.parameters == held


@pytest.mark.parametrize(("name", "backend"), HELD)
@pytest.mark.usefixtures("hub_is_empty")
def test_an_estimate_is_close_to_what_the_files_hold(registry, name, backend):
    about = size_of(registry.specs[name].on(backend))
    assert about.estimated
    assert about.bytes == pytest.approx(HELD[name, backend], rel=1e-3)


@pytest.fixture
def hub_is_empty(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


def test_the_plan_s_models_are_tagged_and_named_by_their_families(registry):
    planned = {spec.id for spec in resolve(registry, ["tag:plan"])}
    assert planned == set().union(*PLAN.values())
    for word, ids in PLAN.items():
        assert ids <= {spec.id for spec in resolve(registry, [f"*{word}*"])}


@pytest.mark.parametrize("backend", ["torch", "mlx"])
@pytest.mark.usefixtures("hub_is_empty")
def test_each_is_named_with_its_command_and_a_size_where_it_is_not_here(registry, backend):
    for spec in resolve(registry, ["tag:plan"]):
        here = availability(spec.on(backend))
        more = " --backend mlx" if backend == "mlx" and spec.mlx else ""
        assert (here.present, here.fetch) == (False, f"interp fetch {spec.id}{more}")
        assert spec.on(backend).source in here.reason
        assert size_of(spec.on(backend)).estimated


def test_each_is_pinned_and_only_chat_models_have_a_template(registry):
    for spec in resolve(registry, ["tag:plan"]):
        assert re.fullmatch("[0-9a-f]{40}", spec.revision)
        assert (spec.chat is not None) is ("chat" in spec.tags) is ("base" not in spec.tags)
        assert spec.chat is None or spec.chat.system is (spec.family != "gemma2")
        assert spec.chat is None or "I" in spec.chat.refusals
