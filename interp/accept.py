"""`interp accept`: take what a run measured as the baseline, without measuring it again."""

import json
from pathlib import Path
from typing import Annotated

import typer

from interp.errors import DataError, RequestError
from interp.reports.accepting import Accepted, Choice, Only, Plan, plan
from interp.reports.baselines import baseline_file, load_baseline, save_baseline
from interp.reports.compare import compare_with_baselines
from interp.reports.diff_text import both
from interp.reports.folders import find_run
from interp.reports.items import items_folder
from interp.reports.journal import replace_file
from interp.reports.project import reports_folder
from interp.reports.record import RunRecord, read_run
from interp.reports.text import count, plain
from interp.reports.values import Scalar


def accept(  # noqa: PLR0913  a parameter is an option: typer's way
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="By name or folder; without one, the last.")
    ] = None,
    expression: Annotated[
        str, typer.Option("-k", metavar="EXPR", help="Part of the names; and, or, not.")
    ] = "",
    model: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="These models; repeatable.")
    ] = None,
    only: Annotated[Only | None, typer.Option(help="Only what is of this kind.")] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in each line.")] = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, write nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also from a tree that differs from its commit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A list of flat objects.")] = False,
    reports_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs/ and baselines/ are.")
    ] = None,
) -> None:
    """Make what a run measured the accepted values; touches only what that run measured."""
    if only == "missing":
        raise RequestError(
            "what was not measured cannot be accepted",
            asked="interp accept --only missing",
            hint="interp prune --missing, after a full run",
        )
    reports = reports_folder(reports_dir)
    record = read_run(find_run(reports, run))
    choice = Choice(tuple(model or ()), expression, only, plain(reason), dirty=force)
    found = _plan(record, reports, choice)
    if not dry_run:
        _keep(found, record, reports)
    if as_json:
        rows = [_flat(one, baseline_file(reports, one.model)) for one in found.changes]
        typer.echo(json.dumps(rows, indent=1, allow_nan=False))
    else:
        for one in found.changes:
            typer.echo(_told(one))
    for line in found.left_out:
        typer.echo(plain(f"left out: {line}"), err=True)
    done = "would be accepted" if dry_run else "accepted"
    typer.echo(f"{count(len(found.changes), 'line')} {done}", err=as_json)


def _plan(record: RunRecord, reports: Path, choice: Choice) -> Plan:
    models = {case.model for case in record.planned} | {one.model_id for one in record.values}
    known = {one: load_baseline(baseline_file(reports, one)) for one in models}
    return plan(record, compare_with_baselines(record, reports), known, choice)


def _keep(found: Plan, record: RunRecord, reports: Path) -> None:
    """Write the items first: a baseline never refers to what is not there."""
    for digest in sorted(found.items):
        _copy(record.folder / "artifacts" / f"{digest}.npz", items_folder(reports))
    for model, baseline in found.baselines.items():
        save_baseline(baseline_file(reports, model), baseline)


def _copy(source: Path, folder: Path) -> None:
    """Copy a file that is named by its content, unless it is there.

    Raises:
        DataError: the run does not have it, or it cannot be written.
    """
    if (folder / source.name).is_file():
        return
    try:
        replace_file(folder / source.name, source.read_bytes())
    except OSError as error:
        raise DataError(
            "the items of an accepted value cannot be kept",
            received=error.strerror or str(error),
            where=str(error.filename or source),
        ) from None


def _flat(one: Accepted, file: Path) -> dict[str, Scalar | None]:
    return {
        "kind": one.kind,
        "model": one.model,
        "finding": one.line.finding,
        "name": one.name,
        "before": one.before,
        "after": one.after,
        "file": str(file),
    }


def _told(one: Accepted) -> str:
    before, after = both(one.before, one.after)
    moved = after if one.before is None else f"{before} -> {after}"
    named = " ".join(filter(None, (one.model, one.line.finding, one.name)))
    return plain(f"{named}: {moved}  {one.kind}")
