"""Checkpoints of continuous thoughts as they are published: which keys a file holds, and why.

One flat file: `codi.` is the language model, with the adapters of its training beside the matrices
they belong to; `prj.` is what a state goes through before it is fed back; `decoder.`, in the files
of SIM-CoT, was used in training only.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from interp.errors import DataError

FILES: Final = ("model.safetensors", "pytorch_model.bin")
MODEL, PROJECTION, TRAINING_ONLY = "codi.", "prj.", "decoder."
WRAPPER: Final = "base_model.model."
BASE_LAYER, LORA_A, LORA_B = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"
# The published configuration of the adapters; the file holds their rank and not this.
LORA_ALPHA: Final = 32.0
PROJECTION_KEYS: Final = ("1.weight", "1.bias", "3.weight", "3.bias", "ln.weight", "ln.bias")
# In config.json of a checkpoint that feeds states back as they are.
DECLARED: Final = "thought_projection"


@dataclass(frozen=True)
class Layout:
    """The keys of a file by what they are; each is in one of the four groups.

    `adapted` maps a weight's plain name to the names of its two adapters.
    """

    plain: Mapping[str, str]
    adapted: Mapping[str, tuple[str, str]]
    projection: tuple[str, ...]
    training_only: tuple[str, ...]


def weight_file(folder: Path) -> Path:
    """The one weight file of a checkpoint.

    Raises:
        DataError: there is none.
    """
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        "a checkpoint needs its weights", expected=" or ".join(FILES), where=str(folder)
    )


def holds_thoughts(folder: Path) -> bool:
    """Whether the weights in a folder are laid out so, told without reading one of them."""
    single = folder / FILES[0]
    try:
        if single.is_file():
            with safe_open(single, framework="numpy") as opened:
                return any(key.startswith(MODEL) for key in opened.keys())  # noqa: SIM118
        with zipfile.ZipFile(folder / FILES[1]) as archive:
            table = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            return MODEL.encode() in archive.read(table)
    except (OSError, SafetensorError, zipfile.BadZipFile, StopIteration):
        return False


def layout(keys: Iterable[str], folder: Path) -> Layout:
    """Every key of a file, accounted for.

    Raises:
        DataError: a key of another kind, half an adapter, or a projection that is not whole.
    """
    known = sorted(keys)
    plain = {_plain(key): key for key in known if key.startswith(MODEL) and ".lora_" not in key}
    first = {_of_adapter(key, LORA_A): key for key in known if key.endswith(LORA_A)}
    second = {_of_adapter(key, LORA_B): key for key in known if key.endswith(LORA_B)}
    found = Layout(
        plain,
        {name: (first[name], second[name]) for name in first.keys() & second.keys()},
        tuple(key for key in known if key.startswith(PROJECTION)),
        tuple(key for key in known if key.startswith(TRAINING_ONLY)),
    )
    used = {*plain.values(), *first.values(), *second.values()}
    _refuse_others(set(known) - used - {*found.projection, *found.training_only}, folder)
    lonely = (first.keys() ^ second.keys()) | (found.adapted.keys() - plain.keys())
    if lonely:
        raise DataError(
            "an adapter belongs to a matrix and has two halves",
            received=min(lonely),
            where=str(folder),
        )
    return found


def refuse_other_projection(found: Layout, folder: Path) -> None:
    """Nothing, if the projection is whole, or left out and declared so.

    Raises:
        DataError: keys of it are missing or too many; or it is missing without a word.
    """
    names = {key.removeprefix(PROJECTION) for key in found.projection}
    expected = set(PROJECTION_KEYS) if names or not _declared_without(folder) else set()
    if names != expected:
        raise DataError(
            "the projection of the thoughts is not whole",
            expected=", ".join(PROJECTION + name for name in PROJECTION_KEYS),
            received=", ".join(found.projection) or "none of them",
            where=str(folder),
            hint=f'a checkpoint without one says so in config.json: "{DECLARED}": false',
        )


def _declared_without(folder: Path) -> bool:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get(DECLARED) is False


def _plain(key: str) -> str:
    name = key.removeprefix(MODEL).removeprefix(WRAPPER)
    return name.replace(BASE_LAYER, ".")


def _of_adapter(key: str, ending: str) -> str:
    return _plain(key.removesuffix(ending)) + ".weight"


def _refuse_others(keys: set[str], folder: Path) -> None:
    if keys:
        raise DataError(
            "the file holds weights that nothing uses",
            expected=f"keys under {MODEL} {PROJECTION} {TRAINING_ONLY}",
            received=", ".join(sorted(keys)[:3]),
            where=str(folder),
        )
