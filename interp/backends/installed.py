"""Which engines this environment has, found out without importing one."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final

NEEDS: Final = {"torch": ("torch", "transformers"), "mlx": ("mlx", "mlx-lm", "transformers")}
# The backends that run models of continuous thoughts, and what runs them there.
THINKERS: Final = {"torch": ("interp.backends.torch_thinker", "TorchThinker")}
INSTALL: Final = {name: f"pip install 'interp-specs[{name}]'" for name in NEEDS}


def to_install(backend: str) -> str:
    """The command that installs what a backend needs; empty where it is all here."""
    return INSTALL[backend] if any(not _has(one) for one in NEEDS.get(backend, ())) else ""


def _has(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
