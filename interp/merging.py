"""`interp merge`: the parts of a run as one file, or several runs as one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from interp.errors import RequestError
from interp.reports.folders import find_run
from interp.reports.joining import join, merge_in_place
from interp.reports.lines import MERGED, read_folder
from interp.reports.locks import LOCK, holder, is_held
from interp.reports.project import reports_folder
from interp.reports.record import RunRecord, read_run
from interp.reports.text import count, plain


def merge(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN...", help="Runs, by name or folder; without one, the last."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where several become one; a new folder.")
    ] = None,
    reports_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs/ is (default: reports).")
    ] = None,
) -> None:
    """Merge the parts of a run, dead or alive, or several runs into one that reads like any other.

    Merging again, or in another order, gives the same bytes.
    """
    reports = reports_folder(reports_dir)
    found = [find_run(reports, name) for name in runs or (None,)]
    if to is None and len(found) > 1:
        raise RequestError(
            "several runs are merged into a folder of their own",
            asked=f"interp merge {' '.join(runs or ())}",
            hint="name a new folder with --to",
        )
    for run in found if to is not None else ():
        _refuse_living(run)
    if to is None:
        merge_in_place(found[0])
    else:
        join(found, to)
    target = to or found[0]
    for line in _lines(read_run(target), _writers(target)):
        typer.echo(plain(line))
    typer.echo(f"written: {target / MERGED}")


def _writers(run: Path) -> list[str]:
    """Who is still writing to a run: the session that has it, and its processes."""
    return [*([holder(run)] if is_held(run / LOCK) else []), *sorted(read_folder(run).alive)]


def _refuse_living(run: Path) -> None:
    """A copy could not tell what is running from what has crashed."""
    if writers := _writers(run):
        raise RequestError(
            "a run that is still going on is not copied",
            asked="interp merge --to",
            received=f"{', '.join(writers)} is writing to {run}",
            hint=f"wait for it; or merge it where it is: interp merge {run}",
        )


def _lines(record: RunRecord, writers: list[str]) -> Iterator[str]:
    going_on = bool(writers)
    parts = (
        (len(record.ends), "ended"),
        (len(record.crashed), "crashed"),
        (len(record.running), "running"),
        (len(record.not_run), "not run yet" if going_on else "not run"),
    )
    said = ", ".join(f"{number} {word}" for number, word in parts if number)
    yield f"{count(len(record.values), 'value')}; specs: {said or 'none'}"
    if record.torn:
        yield f"{count(record.torn, 'line')} cut short and left out: a process died while it wrote"
    if going_on:
        yield f"this run is still going on ({', '.join(writers)}): merged is what there is by now"
