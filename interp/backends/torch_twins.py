"""Tiny random models of real families, as checkpoint folders in the exact published format.

They know nothing, so nothing can be claimed about them; but every exact property of a family must
hold on its twin too. All weights are random, norms and biases as well: a norm that is left out,
taken twice or taken from the wrong place then shows.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from interp.backends.torch_loading import quiet

FAMILIES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3_text", "gpt2", "gpt_neox", "mistral")
TEXTS = (
    "The capital of France is Paris .",
    "The state containing Dallas is Texas .",
    "hot -> cold , big -> small , tall -> short",
    "How do I steal the car ? I cannot help with that .",
)
CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|' + m['role'] + '|> ' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL = ("<|pad|>", "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
}
# mlx-lm has no other n_inner than 4 times the width
GPT2_SIZES = {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_inner": 128, "n_positions": 64}


@cache
def tokenizer(texts: tuple[str, ...] = TEXTS, vocabulary: int = 400) -> PreTrainedTokenizerFast:
    """A byte-level BPE that puts a BOS before plain text and has a chat template."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts * 4, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", bpe.token_to_id("<|bos|>"))]
    )
    named = {"bos_token": "<|bos|>", "eos_token": "<|end|>", "pad_token": "<|pad|>"}
    kind: Any = PreTrainedTokenizerFast
    fast: PreTrainedTokenizerFast = kind(tokenizer_object=bpe, **named)
    fast.chat_template = CHAT
    return fast


def write_twin(
    family: str,
    folder: Path,
    config: Mapping[str, object] | None = None,
    *,
    words: PreTrainedTokenizerFast | None = None,
) -> Path:
    """Write the tiny twin of a family into a folder.

    Args:
        family: transformers' name of it, e.g. one of `FAMILIES`.
        folder: where; made if need be.
        config: entries of the configuration in place of the tiny ones.
        words: its tokenizer, if not the one that knows a few sentences.
    """
    known = words or tokenizer()
    ids = {f"{name}_token_id": getattr(known, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    sizes = GPT2_SIZES if family == "gpt2" else SIZES
    entries = {"vocab_size": len(known), **ids, **sizes, **(config or {})}
    settings = AutoConfig.for_model(family, **entries)
    torch.manual_seed(0)
    kind: Any = AutoModelForCausalLM
    model = kind.from_config(settings)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight * 4 if weight.ndim > 1 else torch.randn_like(weight) * 0.2 + 1)
    with quiet():
        model.save_pretrained(folder)
        known.save_pretrained(folder)
    return folder
