"""Which files of a model are on this machine, in a folder or in the hub's local cache."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
NO_WEIGHTS: Final = f"weights ({WEIGHTS[0]})"
Finder = Callable[[str], Path | None]


def missing(get: Finder) -> list[str]:
    """Which parts of a model `get` does not find; a model split over shards needs each of them."""
    absent = beside_weights(get)
    if any(get(name) for name in WEIGHTS):
        return absent
    for name in WEIGHTS:
        if index := get(f"{name}.index.json"):
            return absent + [shard for shard in _shards(index) if not get(shard)]
    return [*absent, NO_WEIGHTS]


def weights(get: Finder) -> list[Path]:
    """The files of weights that `get` finds: one, or each of the shards that are there."""
    for name in WEIGHTS:
        if whole := get(name):
            return [whole]
        if index := get(f"{name}.index.json"):
            return [file for shard in _shards(index) if (file := get(shard))]
    return []


def missing_on_base(get: Finder, base: Finder) -> list[str]:
    """The same of a checkpoint that has weights alone: all else stands with its base."""
    weights = [] if any(get(name) for name in WEIGHTS) else [NO_WEIGHTS]
    return [f"{name} of the base" for name in beside_weights(base)] + weights


def beside_weights(get: Finder) -> list[str]:
    """Whether configuration or tokenizer are not there."""
    absent = [] if get("config.json") else ["config.json"]
    if not any(get(name) for name in TOKENIZERS):
        absent.append("a tokenizer (tokenizer.json)")
    return absent


def in_folder(folder: Path) -> Finder:
    """Finds a file in a folder."""
    return lambda name: folder / name if (folder / name).is_file() else None


def in_cache(
    source: str, revision: str | None, *, kind: Literal["model", "space"] = "model"
) -> Finder:
    """Finds a file in the cache, one by one: the hub's library calls a torn snapshot whole."""
    from huggingface_hub import constants  # noqa: PLC0415  not every session has hub models

    folder = f"{kind}s--{source.replace('/', '--')}"
    if not (Path(constants.HF_HUB_CACHE) / folder).is_dir():
        return lambda _: None
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  200 ms, often for nothing

    def get(name: str) -> Path | None:
        found = try_to_load_from_cache(source, name, revision=revision, repo_type=kind)
        return Path(found) if isinstance(found, str) else None

    return get


def _shards(index: Path) -> list[str]:
    try:
        table = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return sorted({str(name) for name in table.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [f"a readable {index.name}"]
