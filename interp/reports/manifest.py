"""Where a run is kept and what it ran on: its folder's name and its manifest."""

import hashlib
import json
import os
import platform
import socket
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
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
    "numpy": "numpy",
    "interp": "interp-specs",
    "pytest": "pytest",
    "xdist": "pytest-xdist",
}


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
    vary: str = PLAIN,
) -> None:
    """Write down what was asked for and what it ran on; no part of the environment's variables."""
    manifest = {
        "v": SCHEMA,
        "run": run.name,
        "started": time.time(),
        "argv": list(argv),
        "profile": profile,
        "vary": vary,
        "models": [asdict(spec) for spec in models],
        "versions": {"python": platform.python_version(), **versions()},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": cpu_count(),
        "host": hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12],
        "git": git_state(root),
    }
    replace_file(run / "manifest.json", json.dumps(manifest, indent=1).encode())


def versions() -> dict[str, str]:
    """The versions of the packages that numbers depend on, without importing them."""
    found = {}
    for name, package in PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found


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
    command = ["git", "--no-optional-locks", *words]
    try:
        done = subprocess.run(  # noqa: S603  fixed words, no shell
            command, cwd=root, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
