"""What a run leaves beside its journal, each made by itself, so that none costs another."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from interp.reports.exit_status import Outcome
from interp.reports.journal import replace_file
from interp.reports.page import Told, render
from interp.reports.page.told import Href
from interp.reports.record import RunRecord, read_run
from interp.reports.text import plain

ENDING: Final = "outcome.json"
PAGE: Final = "report.html"
Maker = Callable[[Told], Iterable[Path]]


@dataclass(frozen=True)
class Outputs:
    """The files that were written, and a line for each that could not be."""

    paths: tuple[Path, ...]
    problems: tuple[str, ...]


def write_outputs(
    record: RunRecord,
    comparison: Any,
    outcome: Outcome,
    published: Mapping[str, Any],
) -> Outputs:
    """Write everything that is made from a run into its folder.

    Whatever goes wrong with one of them is told in a line, and the others are written all the same.
    """
    told = Told(record, outcome, comparison)
    paths: list[Path] = []
    problems: list[str] = []
    for name, make in _makers(published).items():
        try:
            paths += make(told)
        except Exception as error:  # noqa: BLE001  no chart or disk may cost the other outputs
            problems.append(f"{name} could not be written: {_in_a_line(error)}")
    return Outputs(tuple(paths), tuple(problems))


def write_page(runs: Iterable[Told], target: Path, published: Mapping[str, Any]) -> Path:  # noqa: ARG001  until there is something to set beside
    """Write the page of these runs into a file, whole or not at all."""
    html = render(list(runs), href=below(target.absolute()))
    replace_file(target, html.encode("utf-8"))
    return target


def read_told(folder: Path) -> Told:
    """A run as it is found in its folder, with the exit status it ended with, if it came to that.

    Raises:
        DataError: there is no run in this folder, or a newer version wrote it.
    """
    record = read_run(folder)
    try:
        left = json.loads((folder / ENDING).read_text(encoding="utf-8"))
        outcome = Outcome(int(left["status"]), str(left["meaning"]))
        counted = left["ends"], left["values"]
    except (OSError, ValueError, KeyError, TypeError):
        return Told(record)
    # A run that was taken up again and cut off has lines that its old status knows nothing of.
    return Told(record, outcome if counted == _size(record) else None)


def below(target: Path) -> Href:
    """How a page in this place refers to a spec's file, where that lies in a folder above."""

    def href(path: str) -> str:
        for folder in target.parents:
            if path and not Path(path).is_absolute() and (folder / path).is_file():
                return quote(Path(os.path.relpath(folder / path, target.parent)).as_posix())
        return ""

    return href


def _makers(published: Mapping[str, Any]) -> dict[str, Maker]:
    return {
        ENDING: _ending,
        PAGE: lambda told: [write_page([told], told.record.folder / PAGE, published)],
    }


def _ending(told: Told) -> Iterator[Path]:
    """The exit status, which no journal holds: without it the run was cut off."""
    assert told.outcome is not None  # noqa: S101  of a run that has just ended
    ends, values = _size(told.record)
    content = {**asdict(told.outcome), "ends": ends, "values": values}
    path = told.record.folder / ENDING
    replace_file(path, json.dumps(content).encode())
    yield path


def _size(record: RunRecord) -> tuple[int, int]:
    return len(record.ends), len(record.values)


def _in_a_line(error: Exception) -> str:
    first = plain(str(error).partition("\n")[0]) or type(error).__name__
    return first if isinstance(error, OSError) else f"{type(error).__name__}: {first}"
