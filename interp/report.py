"""`interp report`: the page of one run, or of several side by side."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from interp.errors import DataError, RequestError
from interp.reports.folders import LATEST, find_run
from interp.reports.outputs import PAGE, read_published, read_told, write_page
from interp.reports.text import plain


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Names or folders of runs (default: the latest)."),
    ] = None,
    *,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write it (default: report.html in the run)."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    reports_dir: Annotated[
        Path, typer.Option(metavar="DIR", help="Where runs/ and baselines/ are.")
    ] = Path("reports"),
) -> None:
    """Make one HTML page of a run, also of one that was cut off, or of several side by side."""
    folders = [find_run(reports_dir, name) for name in runs or [LATEST]]
    if to is None and len(folders) > 1:
        raise RequestError(
            "a page of several runs lies in none of their folders",
            asked=f"interp report {' '.join(runs or [])}",
            expected="--to FILE",
        )
    target = to or folders[0] / PAGE
    try:
        told = [read_told(folder, reports_dir) for folder in folders]
        write_page(told, target, read_published(reports_dir))
    except OSError as error:
        raise DataError(
            "the page cannot be written",
            received=error.strerror or str(error),
            where=str(target),
            hint="name another place with --to",
        ) from None
    typer.echo(plain(target))
    if show:
        webbrowser.open(target.absolute().as_uri())
