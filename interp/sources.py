"""Which models are whole on this machine, and how the others get here."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from interp.errors import DataError
from interp.model_files import in_cache, in_folder, missing, missing_on_base
from interp.registry import ModelSpec, at

MOST_NAMED: Final = 3
BESIDE_WEIGHTS: Final = ("*.json", "*.jinja", "tokenizer*", "vocab.txt", "merges.txt")
FETCHED: Final = ("*.safetensors", *BESIDE_WEIGHTS)


@dataclass(frozen=True)
class Availability:
    """Whether every file of a model is here; if not, what is missing and how to get it."""

    present: bool
    reason: str = ""
    fetch: str = ""


def availability(spec: ModelSpec) -> Availability:
    """Whether the configuration, a tokenizer and every weight file of a model are here."""
    local = spec.is_local
    own = in_folder(Path(spec.source)) if local else in_cache(spec.source, spec.revision)
    absent = missing_on_base(own, in_cache(spec.base, None)) if spec.base else missing(own)
    if not absent:
        return Availability(present=True)
    more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
    reason = f"model {spec.id!r} ({at(spec)}): not here: {', '.join(absent[:MOST_NAMED])}{more}"
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


def _command(spec: ModelSpec) -> str:
    """What a user types to fetch these files."""
    other = " --backend mlx" if spec.mlx and spec.backend == "mlx" else ""
    return f"interp fetch {spec.id if spec.listed else at(spec)}{other}"
