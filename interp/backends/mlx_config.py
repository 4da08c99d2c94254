"""What a config.json says, in the words that mlx-lm reads; and what mlx-lm would leave out.

transformers 5 writes `rope_parameters`, which most families of mlx-lm do not read: they fall back
to a default theta and give other logits without a word. Sliding windows that mlx-lm does not have
are a limit on the length.
"""

from collections.abc import Mapping
from typing import Any

from interp.errors import DataError

RENAMED = {
    "gpt2": {"n_ctx": "n_positions"},
    "gpt_neox": {"rotary_emb_base": "rope_theta", "rotary_pct": "partial_rotary_factor"},
    "qwen3_moe": {"num_experts": "num_local_experts"},
}
SIZES: dict[str, tuple[str, ...]] = {
    "n_heads": ("num_attention_heads", "n_head"),
    "d_model": ("hidden_size", "n_embd"),
    "d_vocab": ("vocab_size",),
    "max_length": ("max_position_embeddings", "n_positions"),
}
THETAS = ("rope_theta", "rope_local_base_freq", "rotary_emb_base")
NEUTRAL = ("default", None)  # rope types that change nothing


def legacy_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that mlx-lm looks for and that this config has under newer names only."""
    rope = config.get("rope_parameters") or {}
    by_kind = "full_attention" in rope  # Gemma 3: one rope for each kind of layer
    whole = rope["full_attention"] if by_kind else rope
    found: dict[str, Any] = {k: whole[k] for k in ("rope_theta",) if k in whole}
    if by_kind:
        found["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
    if whole.get("rope_type") not in NEUTRAL:
        found["rope_scaling"] = {k: v for k, v in whole.items() if k != "rope_theta"}
    kinds = config.get("layer_types") or []
    if by_kind and "full_attention" in kinds:
        found["sliding_window_pattern"] = kinds.index("full_attention") + 1
    known = {**config, **whole, **found}
    for name, newer in RENAMED.get(str(config.get("model_type")), {}).items():
        if newer in known:
            found[name] = known[newer]
    return {name: value for name, value in found.items() if config.get(name) is None}


def thetas(config: Mapping[str, Any]) -> set[float]:
    """Every base of a rotation that a config names, under whatever name and however nested."""
    found = {float(v) for k, v in config.items() if k in THETAS and isinstance(v, (int, float))}
    return found.union(*(thetas(value) for value in config.values() if isinstance(value, dict)))


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config that is about the language model."""
    nested = config.get("text_config")
    return {**config, **nested} if isinstance(nested, dict) else config


def size(config: Mapping[str, Any], name: str) -> int:
    """One of `SIZES`, whatever the family calls it.

    Raises:
        DataError: the config does not say.
    """
    for key in SIZES[name]:
        if isinstance(value := config.get(key), int):
            return value
    raise DataError(
        "a config lacks what mlx-lm needs",
        expected=" or ".join(SIZES[name]),
        received=", ".join(sorted(config)[:8]),
    )


def longest(config: Mapping[str, Any], *, has_window: bool) -> int:
    """How many tokens a row may have: as the model says, or up to a window that mlx-lm lacks.

    Args:
        config: the model's.
        has_window: whether the loaded model attends in a window, where the config has one.
    """
    length, window = size(config, "max_length"), config.get("sliding_window")
    if has_window or not isinstance(window, int) or not config.get("use_sliding_window", True):
        return length
    return min(length, window)


def quantization(config: Mapping[str, Any]) -> str:
    """How the weights are quantised: "4bit-g64"; empty where they are not."""
    how = config.get("quantization") or {}
    if not how:  # mlx-lm translates what other makers write, but for BitNet
        return str((config.get("quantization_config") or {}).get("quant_method", ""))
    mode = how.get("mode", "affine")
    plain = f"{how['bits']}bit-g{how['group_size']}" + ("" if mode == "affine" else f"-{mode}")
    parts = {str(value) for value in how.values() if isinstance(value, dict)}
    return f"{plain}-mixed" if parts else plain
