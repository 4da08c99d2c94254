"""Tiny random models of every family, as checkpoint folders in the exact published format."""

from functools import cache
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from interp.models import load
from interp.registry import ModelSpec

FAMILIES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3_text", "gpt2", "gpt_neox", "mistral")
TEXTS = [
    "The capital of France is Paris .",
    "The state containing Dallas is Texas .",
    "hot -> cold , big -> small , tall -> short",
    "How do I steal the car ? I cannot help with that .",
]
CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|' + m['role'] + '|> ' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
}
GPT2 = {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_inner": 48, "n_positions": 64}


@pytest.fixture(scope="session", autouse=True)
def _alone(tmp_path_factory):
    """One thread, which tiny matrices are fastest on, and no record in the user's cache."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def tokenizer():
    """A byte-level BPE that puts a BOS before plain text and has a chat template."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(TEXTS * 4, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", bpe.token_to_id("<|bos|>"))]
    )
    named = {"bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|pad|>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, **named)
    fast.chat_template = CHAT
    return fast


def build(family, folder, **config):
    """Write a random model of a family, norms and biases too, so that a wrong norm shows."""
    words = tokenizer()
    sizes = GPT2 if family == "gpt2" else SIZES
    settings = AutoConfig.for_model(
        family,
        vocab_size=len(words),
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        **(sizes | config),
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(settings)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight * 4 if weight.ndim > 1 else torch.randn_like(weight) * 0.2 + 1)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """A checkpoint folder of a family, built once."""

    @cache
    def folder(family):
        return build(family, tmp_path_factory.mktemp(family) / family)

    return folder


@pytest.fixture(scope="session")
def tiny(folder_of):
    """A loaded tiny model of a family, verified once."""

    @cache
    def loaded(family):
        return load(ModelSpec(f"tiny-{family}", str(folder_of(family)), is_local=True))

    return loaded


@pytest.fixture(params=FAMILIES)
def any_model(request, tiny):
    """One tiny model of each family."""
    return tiny(request.param)


@pytest.fixture
def llama(tiny):
    """The tiny Llama."""
    return tiny("llama")


@pytest.fixture
def llama_copy(folder_of, tmp_path):
    """A copy of the tiny Llama's folder, to be damaged."""
    copy = tmp_path / "llama"
    copy.mkdir()
    for file in Path(folder_of("llama")).iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy
