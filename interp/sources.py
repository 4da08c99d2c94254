"""Which models are whole on this machine, and how the others get here."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from interp.errors import DataError
from interp.registry import ModelSpec, at

TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
MOST_NAMED: Final = 3
WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
FETCHED: Final = ("*.safetensors", "*.json", "*.jinja", "tokenizer*", "vocab.txt", "merges.txt")


@dataclass(frozen=True)
class Availability:
    """Whether every file of a model is here; if not, what is missing and how to get it."""

    present: bool
    reason: str = ""
    fetch: str = ""


def availability(spec: ModelSpec) -> Availability:
    """Whether the configuration, a tokenizer and every weight file of a model are here."""
    missing = _missing(_in_folder(Path(spec.source)) if spec.is_local else _in_cache(spec))
    if not missing:
        return Availability(present=True)
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    reason = f"model {spec.id!r} ({at(spec)}): not here: {', '.join(missing[:MOST_NAMED])}{more}"
    return Availability(False, reason, "" if spec.is_local else _command(spec))


def download(spec: ModelSpec, *, look_only: bool = False) -> list[tuple[str, int]]:
    """Fetch a model's files from the hub into the local cache: their names and sizes in bytes.

    Args:
        spec: a model on the hub.
        look_only: ask which files it would be, and fetch none.

    Raises:
        DataError: the hub does not answer, or does not give them.
    """
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415  rarely needed

    try:
        info = HfApi().model_info(spec.source, revision=spec.revision, files_metadata=True)
        if not look_only:
            snapshot_download(spec.source, revision=spec.revision, allow_patterns=list(FETCHED))
    except Exception as error:  # noqa: BLE001  requests, httpx, hub and disk: each has its own
        raise DataError(
            "the files cannot be fetched",
            asked=f"fetch {at(spec)}",
            received=f"{type(error).__name__}: {str(error).strip().splitlines()[0]}",
            hint="check the network; if a licence is asked for, accept it and run: hf auth login",
        ) from None
    files = ((file.rfilename, file.size or 0) for file in info.siblings or [])
    return [(name, size) for name, size in files if any(fnmatchcase(name, one) for one in FETCHED)]


def _command(spec: ModelSpec) -> str:
    """What a user types to fetch these files."""
    other = " --backend mlx" if spec.mlx and spec.backend == "mlx" else ""
    return f"interp fetch {spec.id if spec.listed else at(spec)}{other}"


def _missing(get: Callable[[str], Path | None]) -> list[str]:
    """Which parts of a model `get` does not find; a model split over shards needs each of them."""
    missing = [] if get("config.json") else ["config.json"]
    if not any(get(name) for name in TOKENIZERS):
        missing.append("a tokenizer (tokenizer.json)")
    if any(get(name) for name in WEIGHTS):
        return missing
    for name in WEIGHTS:
        if index := get(f"{name}.index.json"):
            return missing + [shard for shard in _shards(index) if not get(shard)]
    return [*missing, f"weights ({WEIGHTS[0]})"]


def _shards(index: Path) -> list[str]:
    try:
        table = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return sorted({str(name) for name in table.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [f"a readable {index.name}"]


def _in_folder(folder: Path) -> Callable[[str], Path | None]:
    return lambda name: folder / name if (folder / name).is_file() else None


def _in_cache(spec: ModelSpec) -> Callable[[str], Path | None]:
    """File by file, for the hub's library calls a snapshot whole that lacks a shard."""
    from huggingface_hub import constants  # noqa: PLC0415  not every session has hub models

    folder = f"models--{spec.source.replace('/', '--')}"
    if not (Path(constants.HF_HUB_CACHE) / folder).is_dir():
        return lambda _: None
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  200 ms, often for nothing

    def get(name: str) -> Path | None:
        found = try_to_load_from_cache(spec.source, name, revision=spec.revision)
        return Path(found) if isinstance(found, str) else None

    return get
