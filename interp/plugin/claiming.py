"""One session at a time in the folder of a run."""

from pathlib import Path
from typing import Final

import pytest

from interp.reports.journal import unwritable
from interp.reports.locks import LOCK, Lock, hold, holder

CLAIM: Final = pytest.StashKey[Lock]()


def claim(config: pytest.Config, run: Path) -> None:
    """Have this folder for ourselves until the session ends, or is killed.

    Raises:
        pytest.UsageError: another session has it, or it cannot be written to.
    """
    if CLAIM in config.stash or config.option.collectonly:
        return
    try:
        lock = hold(run)
    except OSError as error:
        raise pytest.UsageError(str(unwritable(error, run))) from None
    if lock is None:
        raise pytest.UsageError(
            f"{run}: {holder(run)} is writing to this run; wait for it, or stop it first"
        )
    config.stash[CLAIM] = lock
    config.add_cleanup(lock.release)


def own_folder(config: pytest.Config, run: Path) -> Path:
    """A folder that was named for a new run, claimed.

    Raises:
        pytest.UsageError: there is something in it, or another session has it.
    """
    if _is_empty(run):
        claim(config, run)
    if not _is_empty(run):  # looked at again, as the one who had it may have written
        message = f"--run-dir {run}: a run needs a folder of its own, and this one is not empty"
        raise pytest.UsageError(f"{message}; to go on with a run: --resume {run}")
    return run


def _is_empty(run: Path) -> bool:
    return not run.is_dir() or all(path.name == LOCK for path in run.iterdir())
