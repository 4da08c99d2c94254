"""Wiring of the house tests: where the project is and which files belong to it."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_OURS = frozenset({".git", ".venv", "build", "dist", "runs", "__pycache__"})


def listed_by_git(root):
    """Tracked files and new ones that git does not ignore."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(asked, cwd=root, check=True, capture_output=True, text=True).stdout
    return [root / name for name in names.split("\0") if name]


@pytest.fixture(scope="session")
def root():
    """The folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def project(root):
    """pyproject.toml, parsed."""
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def ours(root):
    """Every file of the project; an unpacked source archive has no git to ask."""
    if (root / ".git").exists():
        found = listed_by_git(root)
    else:
        found = [p for p in root.rglob("*") if NOT_OURS.isdisjoint(p.relative_to(root).parts)]
    return sorted(path for path in found if path.is_file())
