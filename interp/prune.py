"""`interp prune`: delete the baseline lines, items and run folders that nothing needs any more."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from interp.errors import DataError, RequestError
from interp.reports.baselines import WITHOUT_MODEL, load_all, save_baseline
from interp.reports.folders import find_run
from interp.reports.project import reports_folder
from interp.reports.pruning import (
    Pruned,
    old_runs,
    told,
    unused_items,
    why_not_full,
    without_missing,
)
from interp.reports.record import read_run
from interp.reports.text import count, plain


def prune(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The full run; without one, the last.")
    ] = None,
    *,
    missing: Annotated[
        bool, typer.Option("--missing", help="Lines that a full run has not brought forth.")
    ] = False,
    runs: Annotated[bool, typer.Option("--runs", help="Folders of old runs.")] = False,
    keep: Annotated[int, typer.Option(metavar="N", min=1, help="How many runs to keep.")] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, delete nothing.")] = False,
    reports_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs/ and baselines/ are.")
    ] = None,
) -> None:
    """Delete what nothing needs any more; the only command that deletes lines of a baseline."""
    if not missing and not runs:
        raise RequestError("say what to prune", asked="interp prune", expected="--missing, --runs")
    reports = reports_folder(reports_dir)
    done = "would be deleted" if dry_run else "deleted"
    if missing:
        for line in _prune_lines(reports, run, dry_run=dry_run):
            typer.echo(plain(line))
    if runs:
        for folder in old_runs(reports, keep):
            typer.echo(plain(f"run {folder.name} {done}"))
            if not dry_run:
                shutil.rmtree(folder)


def _prune_lines(reports: Path, run: str | None, *, dry_run: bool) -> Iterator[str]:
    """Prune every baseline whose model the run tells all about, then the items."""
    record = read_run(find_run(reports, run))
    known = load_all(reports)
    done = "would be deleted" if dry_run else "deleted"
    pruned: list[Pruned] = []
    for name, baseline in known.items():
        model = None if name == WITHOUT_MODEL else name
        if why := why_not_full(record, model):
            yield f"{name}: nothing is deleted: {why}"
            continue
        pruned.append(without_missing(baseline, record, model))
        yield from (f"{name} {line} {done}" for line in told(pruned[-1].gone))
    known |= {one.model or WITHOUT_MODEL: one.baseline for one in pruned}
    loose = unused_items(reports, known)
    if not dry_run:
        for one in pruned:
            if one.gone:
                save_baseline(
                    reports / "baselines" / f"{one.model or WITHOUT_MODEL}.jsonl", one.baseline
                )
        _delete(loose)
    lines = sum(len(one.gone) for one in pruned)
    yield f"{count(lines, 'line')} and {count(len(loose), 'file')} of items {done}"


def _delete(files: list[Path]) -> None:
    for path in files:
        try:
            path.unlink()
        except OSError as error:
            raise DataError(
                "a file of items cannot be deleted",
                received=error.strerror or str(error),
                where=str(path),
            ) from None
