"""A checkpoint folder into a transformers model: every key used, every weight finite, no code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from interp.backends import checkpoint
from interp.backends.protocol import ModelInfo
from interp.errors import DataError, NonFiniteError, RequestError

NO_PATTERN = "{} attention has no pattern; load with attn_implementation='eager'"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_model(
    folder: Path, *, dtype: str, attn_implementation: str | None
) -> tuple[PreTrainedModel, str]:
    """The model of a checkpoint folder, and the sha256 of its weights.

    Raises:
        DataError: files missing or torn, keys missing or left over, an unknown family.
        NonFiniteError: a weight is NaN or infinite.
        RequestError: a bfloat16 checkpoint asked for in float16, whose range it exceeds.
    """
    config = checkpoint.read_config(folder)
    files = checkpoint.weight_files(folder)
    stored = config.get("dtype", config.get("torch_dtype"))
    if (dtype, stored) == ("float16", "bfloat16"):
        raise RequestError("a bfloat16 checkpoint does not fit float16", hint="bfloat16 or float32")
    if config.get("attn_logit_softcapping"):
        attn_implementation = "eager"  # transformers 4 drops the softcap in sdpa without a word
    loader: Any = AutoModelForCausalLM
    try:
        with quiet():
            model, report = loader.from_pretrained(
                folder,
                dtype=DTYPES.get(dtype, "auto"),
                attn_implementation=attn_implementation,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, then refused below
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise DataError(
            "transformers cannot load this checkpoint", received=error, where=str(folder)
        ) from None
    _refuse_mismatch(report, folder)
    _refuse_non_finite(model, folder)
    return model, checkpoint.fingerprint(files)


def describe(model: PreTrainedModel, n_layers: int, fingerprint: str) -> ModelInfo:
    """Who this model is, from its config."""
    config: Any = model.config.get_text_config()
    attention = str(config._attn_implementation)  # noqa: SLF001  there is no public name
    n_heads = config.num_attention_heads
    return ModelInfo(
        family=str(config.model_type),
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=getattr(config, "num_key_value_heads", None) or n_heads,
        d_model=config.hidden_size,
        d_head=getattr(config, "head_dim", None) or config.hidden_size // n_heads,
        d_vocab=config.vocab_size,
        max_length=config.max_position_embeddings,
        dtype=str(model.dtype).removeprefix("torch."),
        quantization="",
        attn_implementation=attention,
        device=str(model.device),
        fingerprint=fingerprint,
        end_ids=_end_tokens(model),
        refused={} if attention == "eager" else {"pattern": NO_PATTERN.format(attention)},
        n_parameters=sum(weight.numel() for weight in model.parameters()),
    )


def _end_tokens(model: Any) -> frozenset[int]:
    """The tokens after which the model's own generation stops; a chat model has several."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    return frozenset(ends if isinstance(ends, list) else [ends]) - {None}


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bar and no load report: what is wrong is raised here, with its name."""
    words: Any = logging
    bars, level = words.is_progress_bar_enabled(), words.get_verbosity()
    words.disable_progress_bar()
    words.set_verbosity_error()
    try:
        yield
    finally:
        words.set_verbosity(level)
        if bars:
            words.enable_progress_bar()


def _refuse_mismatch(report: Mapping[str, Any], folder: Path) -> None:
    kinds = ("missing", "unexpected", "mismatched")
    wrong = {kind: _names(report.get(f"{kind}_keys")) for kind in kinds}
    if any(wrong.values()):
        raise DataError(
            "the weights are not those of this config",
            expected="every weight of the model in the checkpoint, and no other",
            received="; ".join(f"{kind}: {', '.join(ks[:3])}" for kind, ks in wrong.items() if ks),
            where=str(folder),
        )


def _names(keys: Any) -> list[str]:
    return sorted(str(key[0] if isinstance(key, tuple) else key) for key in keys or ())


def _refuse_non_finite(model: PreTrainedModel, folder: Path) -> None:
    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise NonFiniteError(
                "a weight is NaN or infinite", where=f"{folder} · {name}", hint="fetch it again"
            )
