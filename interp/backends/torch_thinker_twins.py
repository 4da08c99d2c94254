"""Tiny random checkpoints of continuous thoughts in exactly the published layout.

A base folder with configuration and tokenizer, and a folder with nothing but the weights: the
base's, wrapped, with adapters beside the matrices they belong to, and the projection.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from interp.backends.torch_codi import ADDED, HEAD
from interp.backends.torch_loading import quiet
from interp.backends.torch_twins import write_twin

RANK = 4
TARGETS = {
    "gpt2": ("c_attn", "c_proj", "c_fc"),
    "llama": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}
WRAPPED = "codi.base_model.model."


def write_thinker_twin(
    family: str,
    base: Path,
    folder: Path,
    config: Mapping[str, object] | None = None,
    *,
    safe: bool = False,
    words: PreTrainedTokenizerFast | None = None,
) -> Path:
    """Write a base and a checkpoint made on it; the folder of the checkpoint.

    Args:
        family: "gpt2" or "llama".
        base: where configuration and tokenizer go.
        folder: where the weights go, and nothing else; with the base's, it needs no other.
        config: entries of the configuration in place of the tiny ones.
        safe: as safetensors, where the tied head is left out, instead of `pytorch_model.bin`.
        words: its tokenizer, if not the one that knows a few sentences.
    """
    write_twin(family, base, {**(config or {}), "tie_word_embeddings": True}, words=words)
    folder.mkdir(parents=True, exist_ok=True)
    kind: Any = AutoModelForCausalLM
    with quiet():
        model = kind.from_pretrained(base)
    torch.manual_seed(1)
    model.resize_token_embeddings(model.config.vocab_size + ADDED, mean_resizing=False)
    state = published_state(model, RANK)
    if safe:
        rest = {key: one for key, one in state.items() if not key.endswith(HEAD)}
        save_file(rest, folder / "model.safetensors")
    else:
        torch.save(state, folder / "pytorch_model.bin")
    return folder


def published_state(model: Any, rank: int) -> dict[str, Tensor]:
    """A model's table of weights as it would be published; adapters and projection are random.

    Args:
        model: of transformers, with the rows of the added tokens.
        rank: of the adapters.
    """
    state = dict(_wrapped(model, TARGETS[model.config.model_type], rank))
    width = model.config.hidden_size
    for name in ("1", "3", "ln"):
        shape = (width,) if name == "ln" else (width, width)
        state[f"prj.{name}.weight"] = torch.randn(shape) * 0.5
        state[f"prj.{name}.bias"] = torch.randn(width) * 0.5
    return state


def _wrapped(model: Any, targets: tuple[str, ...], rank: int) -> Mapping[str, Tensor]:
    state = {}
    for name, weight in model.state_dict().items():
        module, _, part = name.rpartition(".")
        if module.endswith(targets):
            state[f"{WRAPPED}{module}.base_layer.{part}"] = weight.clone()
            state |= _adapters(f"{WRAPPED}{module}", weight, rank) if part == "weight" else {}
        else:
            state[WRAPPED + name] = weight.clone()
    return state


def _adapters(module: str, weight: Tensor, rank: int) -> Mapping[str, Tensor]:
    """Two halves; transformers keeps the matrices of GPT-2 as [in, out]."""
    narrow, wide = weight.shape if ".h." in module else weight.shape[::-1]
    return {
        f"{module}.lora_A.default.weight": torch.randn(rank, narrow) * 0.1,
        f"{module}.lora_B.default.weight": torch.randn(wide, rank) * 0.1,
    }
