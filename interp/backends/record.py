"""What the self-check found, kept on disk for models that take long to check.

The record is keyed by everything its result depends on: the weights, dtype, attention, device,
the code of the check and of the backends, and the versions of the libraries. A torn record is no
record.
"""

import hashlib
import json
import os
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from platformdirs import user_cache_path

from interp.backends.protocol import Backend
from interp.backends.selfcheck import Refused, self_check

SLOW = 2.0  # seconds beyond which a check is worth keeping
LIBRARIES = ("torch", "transformers", "mlx", "mlx-lm", "numpy")


def verified(backend: Backend) -> Backend:
    """The backend with the sites refused that fail the self-check, from a record if there is one.

    Raises:
        DataError: the logits or the residual stream fail.
    """
    record = user_cache_path("interp") / "selfcheck" / f"{_key(backend)}.json"
    refused = _read(record)
    if refused is None:
        start = time.perf_counter()
        refused = self_check(backend)
        if time.perf_counter() - start > SLOW:
            _write(record, refused)
    backend.refuse(refused)
    return backend


def _key(backend: Backend) -> str:
    info = backend.info
    parts = [_code(), type(backend).__name__, info.fingerprint, info.dtype, info.quantization]
    parts += [info.attn_implementation, info.device, *map(_version, LIBRARIES)]
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]


def _code() -> str:
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "-"


def _read(record: Path) -> Refused | None:
    try:
        refused = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return refused if isinstance(refused, dict) else None


def _write(record: Path, refused: Refused) -> None:
    torn = record.with_suffix(f".{os.getpid()}")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        torn.write_text(json.dumps(refused), encoding="utf-8")
        torn.replace(record)
    except OSError:
        torn.unlink(missing_ok=True)  # a read-only cache costs time, never a number
