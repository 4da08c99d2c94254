"""Where a run is kept and what it ran on: its folder's name and its manifest."""

import hashlib
import json
import os
import platform
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from interp.registry import ModelSpec
from interp.reports.journal import SCHEMA, replace_file
from interp.reports.noise import PLAIN

PACKAGES: Final = {
    "torch": "torch",
    "transformers": "transformers",
    "tokenizers": "tokenizers",
    "mlx": "mlx",
    "mlx-lm": "mlx-lm",
    "numpy": "numpy",
    "interp": "interp-specs",
    "pytest": "pytest",
    "xdist": "pytest-xdist",
}


# What decides how numbers are added up, and nothing else that the environment may hold.
VARIABLES: Final = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "TOKENIZERS_PARALLELISM", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
SECRET: Final = re.compile(
    r"token|secret|passw|credential|auth|api.?key|private.?key|cookie", re.IGNORECASE
)
LOOKS_SECRET: Final = re.compile(
    r"\b(?:hf_|gh[opsu]_|github_pat_|glpat-|sk-|xox[abp]-|AKIA)[\w-]{8,}|(?<=://)[^/@\s]+(?=@)"
)
HIDDEN: Final = "***"


@dataclass(frozen=True)
class Asked:
    """What a session was asked for that the comparison has to know.

    Nothing `deselected` and no path but the project's own is a run of everything.
    """

    vary: str = PLAIN
    gate: bool = False
    deselected: int = 0
    paths: tuple[str, ...] = ()


PLAINLY: Final = Asked()


def run_name() -> str:
    """A name that sorts by time and is never used twice: `20260102T030405.678Z-a1b2c3`."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{uuid.uuid4().hex[:6]}"


def write_manifest(
    run: Path,
    *,
    root: Path,
    argv: Sequence[str],
    models: Sequence[ModelSpec],
    profile: str,
    asked: Asked = PLAINLY,
) -> None:
    """Write down what was asked for and what it ran on.

    Of the environment's variables only those in `VARIABLES`; of the command line no secret.
    """
    manifest = {
        "v": SCHEMA,
        "run": run.name,
        "started": time.time(),
        "argv": without_secrets(argv),
        "profile": profile,
        "vary": asked.vary,
        "gate": asked.gate,
        "deselected": asked.deselected,
        "paths": list(asked.paths),
        "models": [{**asdict(spec), "source": told(spec.source, root)} for spec in models],
        "versions": {"python": platform.python_version(), **versions()},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": cpu_count(),
        "threads": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "gpus": gpus(),
        "host": hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12],
        "git": git_state(root),
    }
    replace_file(run / "manifest.json", json.dumps(manifest, indent=1).encode())


def told(source: object, root: Path) -> str:
    """Where a model comes from as any machine can tell it: a folder of the project by its place."""
    path = Path(str(source))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(source)


def versions() -> dict[str, str]:
    """The versions of the packages that numbers depend on, without importing them."""
    found = {}
    for name, package in PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found


def without_secrets(argv: Sequence[str]) -> list[str]:
    """A command line without what looks like a secret, by its option's name or by itself."""
    shown, after = [], ""
    for word in argv:
        option, equals, _ = word.partition("=")
        if SECRET.search(after):
            word = HIDDEN  # noqa: PLW2901
        elif equals and SECRET.search(option):
            word = f"{option}={HIDDEN}"  # noqa: PLW2901
        shown.append(LOOKS_SECRET.sub(HIDDEN, word))
        after = word if word.startswith("--") and not equals else ""
    return shown


def gpus() -> list[str]:
    """Each accelerator of NVIDIA with its driver, as its own tool names them; none without it."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return (_said(command, Path()) or "").splitlines()


def cpu_count() -> int:
    """The cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def git_state(root: Path) -> dict[str, str | bool] | None:
    """The commit of a folder and whether files that git knows differ from it; None without git."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain", "-uno"))}


def _git(root: Path, *words: str) -> str | None:
    return _said(["git", "--no-optional-locks", *words], root)


def _said(command: Sequence[str], where: Path) -> str | None:
    """What a command prints; None where there is no such command, or it fails."""
    try:
        done = subprocess.run(  # noqa: S603  fixed words, no shell
            command, cwd=where, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
