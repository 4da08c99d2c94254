"""The folders of runs: which there are, which is the latest, and the one that a name stands for."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from interp.errors import DataError, closest
from interp.reports.journal import replace_file

LATEST: Final = "latest"
MARKS_OF_A_RUN: Final = ("manifest.json", "parts", "merged.jsonl")


def is_run(folder: Path) -> bool:
    """Whether a run, or a merge of several, has left something here."""
    return any((folder / name).exists() for name in MARKS_OF_A_RUN)


def list_runs(reports: Path) -> list[Path]:
    """The runs below `reports`, oldest first; `latest` is a name of one of them and not listed."""
    folders = sorted((reports / "runs").glob("*"))
    return [folder for folder in folders if not folder.is_symlink() and is_run(folder)]


def find_run(reports: Path, name: str | None) -> Path:
    """The run of this name below `reports`, or in this folder; the latest one without a name.

    Raises:
        DataError: there is none.
    """
    if name in {None, LATEST}:
        return _latest(reports)
    assert name is not None  # noqa: S101  said above, which mypy does not see
    runs = reports / "runs"
    for folder in (Path(name), runs / name):
        for target in (folder, _pointed(folder)):
            if target is not None and is_run(target):
                return target.resolve()
    known = [folder.name for folder in list_runs(reports)]
    raise DataError(
        "no run has this name",
        expected=f"a folder, or a name below {runs}",
        received=name,
        hint=f"nearest: {closest(Path(name).name, known)}" if known else "run pytest first",
    )


def set_latest(reports: Path, run: Path) -> None:
    """Let `runs/latest` stand for a run, in one step; a run kept elsewhere is never the latest.

    Raises:
        OSError: the folder cannot be written to.
    """
    runs = reports / "runs"
    if run.parent.resolve() != runs.resolve():
        return
    draft = runs / f".{LATEST}.{os.getpid()}"
    try:
        draft.unlink(missing_ok=True)
        draft.symlink_to(run.name, target_is_directory=True)
        draft.replace(runs / LATEST)
    except (OSError, NotImplementedError):  # a file system without links: the name as text
        draft.unlink(missing_ok=True)
        replace_file(runs / LATEST, run.name.encode())


def _latest(reports: Path) -> Path:
    """What `latest` points to, or where that is gone, the run whose name sorts last."""
    pointed = _pointed(reports / "runs" / LATEST)
    if pointed is not None and is_run(pointed):
        return pointed.resolve()
    runs = list_runs(reports)
    if not runs:
        raise DataError("there is no run yet", where=str(reports / "runs"), hint="run pytest first")
    return runs[-1].resolve()


def _pointed(path: Path) -> Path | None:
    """The run that a link, or a small file with a name in it, stands for."""
    if path.is_symlink():
        return path.resolve()
    name = ""
    with suppress(OSError, UnicodeDecodeError):
        name = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    return path.parent / name if name and "/" not in name else None
