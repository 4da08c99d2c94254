"""What a run leaves beside its journal, each made by itself, so that none costs another."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

from interp.reports.compare import Comparison, compare_with_baselines
from interp.reports.exit_status import Outcome
from interp.reports.journal import replace_file
from interp.reports.page import Told, render
from interp.reports.page.pictures import FOLDER, file_of, stem_of
from interp.reports.page.told import Href
from interp.reports.published import Published, load_published
from interp.reports.record import Drawn, RunRecord, read_run
from interp.reports.text import plain

ENDING: Final = "outcome.json"
PAGE: Final = "report.html"
SUMMARY: Final = "summary.md"
PARQUET: Final = "values.parquet"
Maker = Callable[[Told], Iterable[Path]]


@dataclass(frozen=True)
class Outputs:
    """The files that were written, and a line for each that could not be."""

    paths: tuple[Path, ...]
    problems: tuple[str, ...]


def write_outputs(
    record: RunRecord,
    comparison: Comparison | None,
    outcome: Outcome,
    published: Mapping[str, Published],
) -> Outputs:
    """Write everything that is made from a run into its folder.

    Whatever goes wrong with one of them is told in a line, and the others are written all the same.
    """
    told = Told(record, outcome, comparison)
    paths: list[Path] = []
    problems: list[str] = []
    for name, make in _makers(record, published):
        try:
            paths += make(told)
        except Exception as error:  # noqa: BLE001  no chart or disk may cost the other outputs
            problems.append(f"{name} could not be written: {_in_a_line(error)}")
    return Outputs(tuple(paths), tuple(problems))


def write_page(runs: Iterable[Told], target: Path, published: Mapping[str, Published]) -> Path:
    """Write the page of these runs into a file, whole or not at all."""
    html = render(list(runs), published, href=below(target.absolute()))
    replace_file(target, html.encode("utf-8"))
    return target


def read_published(path: Path) -> dict[str, Published]:
    """The published values of a file; none where there is no such file.

    Raises:
        DataError: the file is not what it must be.
    """
    return load_published(path) if path.is_file() else {}


def read_told(folder: Path, reports: Path) -> Told:
    """A run as it is found in its folder, with the exit status it ended with, if it came to that.

    Raises:
        DataError: there is no run in this folder, or a newer version wrote it.
    """
    record = read_run(folder)
    comparison = compare_with_baselines(record, reports)
    try:
        left = json.loads((folder / ENDING).read_text(encoding="utf-8"))
        outcome = Outcome(int(left["status"]), str(left["meaning"]))
        counted = left["ends"], left["values"]
    except (OSError, ValueError, KeyError, TypeError):
        return Told(record, None, comparison)
    # A run that was taken up again and cut off has lines that its old status knows nothing of.
    return Told(record, outcome if counted == _size(record) else None, comparison)


def below(target: Path) -> Href:
    """How a page in this place refers to a spec's file, where that lies in a folder above."""

    def href(path: str) -> str:
        for folder in target.parents:
            if path and not Path(path).is_absolute() and (folder / path).is_file():
                return quote(Path(os.path.relpath(folder / path, target.parent)).as_posix())
        return ""

    return href


def _makers(record: RunRecord, published: Mapping[str, Published]) -> Iterator[tuple[str, Maker]]:
    """What there is to write, the exit status first and the page last."""
    yield ENDING, _ending
    yield SUMMARY, partial(_summary, published)
    yield PARQUET, _parquet
    cases = {case.nodeid: case for case in record.planned}
    for drawn in record.charts:
        stem = file_of(drawn, cases[drawn.nodeid])
        yield f"{FOLDER}/{stem}", partial(_figure, drawn, stem)
    yield f"{FOLDER} of the whole run", partial(_overview, published)
    yield PAGE, lambda told: [write_page([told], told.record.folder / PAGE, published)]


def _ending(told: Told) -> Iterator[Path]:
    """The exit status, which no journal holds: without it the run was cut off."""
    assert told.outcome is not None  # noqa: S101  of a run that has just ended
    ends, values = _size(told.record)
    content = {**asdict(told.outcome), "ends": ends, "values": values}
    path = told.record.folder / ENDING
    replace_file(path, json.dumps(content).encode())
    yield path


def _summary(published: Mapping[str, Published], told: Told) -> Iterator[Path]:
    from interp.reports.markdown import summary  # noqa: PLC0415  only at the end of a run

    assert told.outcome is not None  # noqa: S101  as above
    path = told.record.folder / SUMMARY
    text = summary(told.record, told.comparison, told.outcome, published)
    replace_file(path, text.encode(errors="replace"))
    yield path


def _parquet(told: Told) -> Iterator[Path]:
    from interp.reports.frame import write_parquet  # noqa: PLC0415  pandas, a second

    path = told.record.folder / PARQUET
    write_parquet(told.record, path)
    yield path


def _figure(drawn: Drawn, stem: str, told: Told) -> Iterable[Path]:
    from interp import charts  # noqa: PLC0415  only where there are figures
    from interp.reports import figures  # noqa: PLC0415  likewise

    chart = charts.from_json(drawn.chart)
    return figures.save(told.record.folder / FOLDER, stem, chart)


def _overview(published: Mapping[str, Published], told: Told) -> Iterator[Path]:
    from interp.reports import figures  # noqa: PLC0415  only at the end of a run
    from interp.reports.figures.overview import overview  # noqa: PLC0415  likewise

    for name, chart in overview(told.record, published).items():
        yield from figures.save(told.record.folder / FOLDER, stem_of(name), chart)


def _size(record: RunRecord) -> tuple[int, int]:
    return len(record.ends), len(record.values)


def _in_a_line(error: Exception) -> str:
    first = plain(str(error).partition("\n")[0]) or type(error).__name__
    return first if isinstance(error, OSError) else f"{type(error).__name__}: {first}"
