"""Which models are whole on this machine, and how the others get here."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from interp.errors import DataError
from interp.model_files import Finder, in_cache, in_folder, missing, missing_on_base, weights
from interp.registry import ModelSpec, at

MOST_NAMED: Final = 3
BESIDE_WEIGHTS: Final = ("*.json", "*.jinja", "tokenizer*", "vocab.txt", "merges.txt")
BITS: Final = {"float32": 32, "bfloat16": 16, "float16": 16}
PACKED: Final = 2 * 16 / 64  # bits a weight that mlx-lm adds: a scale and a bias for each 64
FETCHED: Final = ("*.safetensors", *BESIDE_WEIGHTS)


@dataclass(frozen=True)
class Availability:
    """Whether every file of a model is here; if not, what is missing and how to get it."""

    present: bool
    reason: str = ""
    fetch: str = ""


@dataclass(frozen=True)
class Size:
    """How many bytes the weights of a model take; an estimate where its files are not here."""

    bytes: int
    estimated: bool


def availability(spec: ModelSpec) -> Availability:
    """Whether the configuration, a tokenizer and every weight file of a model are here."""
    own = _files(spec)
    absent = missing_on_base(own, in_cache(spec.base, None)) if spec.base else missing(own)
    if not absent:
        return Availability(present=True)
    more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
    reason = f"model {spec.id!r} ({at(spec)}): not here: {', '.join(absent[:MOST_NAMED])}{more}"
    return Availability(False, reason, "" if spec.is_local else _command(spec))


def size_of(spec: ModelSpec) -> Size | None:
    """The bytes of a model's weights: counted on this machine, else estimated, else unknown.

    Estimated from the number of parameters of the published configuration, in the dtype of the
    entry or as packed as the files for MLX are; a checkpoint on a base holds more than one dtype.
    """
    if availability(spec).present:
        files = weights(_files(spec))
        return Size(sum(file.stat().st_size for file in files), estimated=False)
    own = spec.backend == "mlx" and bool(spec.mlx)
    bits: float | None = spec.mlx_bits if own else BITS.get(spec.dtype)
    if spec.parameters is None or bits is None or spec.base:
        return None
    return Size(round(spec.parameters * (bits + PACKED * (bits < 16)) / 8), estimated=True)  # noqa: PLR2004  no dtype is packed


def download(spec: ModelSpec, *, look_only: bool = False) -> list[tuple[str, int]]:
    """Fetch a model's files from the hub into the local cache: their names and sizes in bytes.

    Args:
        spec: a model on the hub.
        look_only: ask which files it would be, and fetch none.

    Raises:
        DataError: the hub does not answer, or does not give them.
    """
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415  rarely needed

    wanted = [*FETCHED, *(["pytorch_model.bin"] if spec.base else [])]
    try:
        info = HfApi().model_info(spec.source, revision=spec.revision, files_metadata=True)
        if not look_only:
            snapshot_download(spec.source, revision=spec.revision, allow_patterns=wanted)
            if spec.base:
                snapshot_download(spec.base, allow_patterns=list(BESIDE_WEIGHTS))
    except Exception as error:  # noqa: BLE001  requests, httpx, hub and disk: each has its own
        raise DataError(
            "the files cannot be fetched",
            asked=f"fetch {at(spec)}",
            received=f"{type(error).__name__}: {str(error).strip().splitlines()[0]}",
            hint="check the network; if a licence is asked for, accept it and run: hf auth login",
        ) from None
    files = ((file.rfilename, file.size or 0) for file in info.siblings or [])
    return [(name, size) for name, size in files if any(fnmatchcase(name, one) for one in wanted)]


def _files(spec: ModelSpec) -> Finder:
    return in_folder(Path(spec.source)) if spec.is_local else in_cache(spec.source, spec.revision)


def _command(spec: ModelSpec) -> str:
    """What a user types to fetch these files."""
    other = " --backend mlx" if spec.mlx and spec.backend == "mlx" else ""
    return f"interp fetch {spec.id if spec.listed else at(spec)}{other}"
