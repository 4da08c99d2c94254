"""`interp export`: the values of a run as a table for other programs."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from interp.errors import DataError
from interp.reports.folders import find_run
from interp.reports.frame import csv, frame_of, parquet, rows_of
from interp.reports.journal import replace_file
from interp.reports.project import reports_folder
from interp.reports.record import read_run
from interp.reports.text import count


def export(
    run: Annotated[
        str | None, typer.Argument(help="A run's folder or name; by default the latest.")
    ] = None,
    *,
    form: Annotated[
        Literal["csv", "json", "parquet"], typer.Option("--format", help="As what.")
    ] = "csv",
    output: Annotated[
        Path | None, typer.Option("--to", "--output", "-o", help="The file; else it is printed.")
    ] = None,
    reports_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs/ is.")] = None,
) -> None:
    """Write the values of a run as a table, one row a value."""
    record = read_run(find_run(reports_folder(reports_dir), run))
    frame = frame_of(record)
    if form == "parquet":
        content = parquet(frame, str(record.manifest.get("run", "")))
        output = output or record.folder / "values.parquet"
    else:
        text = csv(frame) if form == "csv" else json.dumps(rows_of(frame), indent=1) + "\n"
        content = text.encode()
    if output is None:
        typer.echo(content, nl=False)
        return
    _write(output, content)
    typer.echo(f"{count(len(frame), 'value')} in {output}", err=True)


def _write(path: Path, content: bytes) -> None:
    try:
        replace_file(path, content)
    except OSError as error:
        raise DataError(
            "the values cannot be written", received=error.strerror or str(error), where=str(path)
        ) from None
