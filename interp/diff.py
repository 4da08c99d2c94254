"""`interp diff`: what moved, and what around it could be the cause."""

import json
import shutil
from pathlib import Path
from typing import Annotated, Literal

import typer

from interp.reports.compare import Comparison, compare_runs, compare_with_baselines
from interp.reports.diff_text import as_markdown, as_rows, as_table
from interp.reports.folders import find_run
from interp.reports.project import reports_folder
from interp.reports.record import read_run


def diff(  # noqa: PLR0913  a parameter is an option: typer's way
    before: Annotated[
        str | None,
        typer.Argument(metavar="A", help="A run, by name or folder; without one, the last."),
    ] = None,
    after: Annotated[
        str | None,
        typer.Argument(metavar="B", help="A later run; without one, A is beside the baselines."),
    ] = None,
    *,
    form: Annotated[
        Literal["table", "md", "json"], typer.Option("--format", help="How to say it.")
    ] = "table",
    everything: Annotated[bool, typer.Option("--all", help="Also what stayed the same.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As --format json.")] = False,
    other_weights: Annotated[
        bool,
        typer.Option("--other-weights", help="Of two runs: it is their weights that I compare."),
    ] = False,
    reports_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs/ and baselines/ are.")
    ] = None,
) -> None:
    """Compare a run with the baselines, or two runs: what moved, and what was different around."""
    reports = reports_folder(reports_dir)
    found = _comparison(reports, before, after, other_weights=other_weights)
    if as_json or form == "json":
        typer.echo(json.dumps(as_rows(found, everything=everything), indent=1, allow_nan=False))
        return
    if form == "md":
        lines = as_markdown(found, everything=everything)
    else:
        width = shutil.get_terminal_size((100, 24)).columns
        lines = as_table(found, width, everything=everything)
    for line in lines:
        typer.echo(line)


def _comparison(
    reports: Path, before: str | None, after: str | None, *, other_weights: bool
) -> Comparison:
    first = read_run(find_run(reports, before))
    if after is None:
        return compare_with_baselines(first, reports)
    return compare_runs(first, read_run(find_run(reports, after)), other_weights=other_weights)
