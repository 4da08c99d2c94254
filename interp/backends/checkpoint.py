"""A checkpoint folder before any engine touches it: are its files whole, and what is their hash?"""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from interp.errors import DataError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
BLOCK = 1 << 22


def read_config(folder: Path) -> dict[str, object]:
    """The checkpoint's config.json.

    Raises:
        DataError: the folder or its config is missing or is no JSON object.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            "a checkpoint needs a readable config.json", received=error, where=str(path)
        ) from None
    if not isinstance(config, dict):
        raise DataError("config.json must be one object", where=str(path))
    return config


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a checkpoint, each opened once to see that it is whole.

    Raises:
        DataError: there is none, a shard of the index is missing, or a file is truncated.
    """
    files = _listed(folder)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise DataError(
            "a checkpoint lacks weight files",
            expected=f"{len(files)} safetensors files",
            received=f"without {', '.join(missing)}",
            where=str(folder),
            hint="fetch the model again",
        )
    for file in files:
        try:
            with safe_open(file, framework="numpy") as opened:
                opened.keys()
        except (SafetensorError, OSError) as error:
            raise DataError(
                "a weight file is torn",
                expected="a whole safetensors file",
                received=error,
                where=str(file),
                hint="fetch the model again",
            ) from None
    return files


def fingerprint(files: tuple[Path, ...]) -> str:
    """sha256 of a checkpoint's weights: of the file, or of the shards' hashes in order."""
    digests = [_sha256(file) for file in files]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _listed(folder: Path) -> tuple[Path, ...]:
    index = folder / INDEX
    if not index.is_file():
        return (folder / SINGLE,)
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise DataError(
            "the index of the shards is torn", received=error, where=str(index)
        ) from None
    return tuple(folder / name for name in sorted(names))


def _sha256(file: Path) -> str:
    blob = file.resolve().name  # the hub's cache links each file to a blob named by its sha256
    if file.is_symlink() and len(blob) == 64:  # noqa: PLR2004  hexadecimal sha256
        return blob
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
