"""The command `interp mutants`: plant each known bug, and print what caught it."""

import os
import time
from typing import Annotated, Final

import typer

from interp.mutants.catalogue import catalogue, chosen
from interp.mutants.table import Row, show

CORES: Final = min(os.cpu_count() or 1, 8)


def mutants(
    expression: Annotated[
        str, typer.Option("-k", metavar="EXPR", help="Part of their names; and, or, not.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="A list of flat objects.")] = False,  # noqa: FBT002  typer's way to write a flag
    listed: Annotated[bool, typer.Option("--list", help="Name them, and run nothing.")] = False,  # noqa: FBT002  likewise
    also: Annotated[
        list[str] | None, typer.Option(metavar="MODULE", help="A module with MUTANTS of your own.")
    ] = None,
    family: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Try twins of these families only.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many at a time.")] = CORES,
) -> None:
    """Plant known bugs one at a time, and print which spec catches each."""
    known = catalogue(also or ())
    picked = {name: known[name] for name in chosen(known, expression)}
    if listed:
        show([Row(one.name, one.origin) for one in picked.values()], as_json=as_json)
        return
    from interp.mutants.scoring import scored  # noqa: PLC0415  a second, for this command only

    began = time.monotonic()
    rows = scored(picked, also=also or (), families=family or (), jobs=jobs)
    show(rows, as_json=as_json)
    killed, tried = (sum(bool(row.killed_by) for row in rows), sum(row.tried for row in rows))
    minutes, rest = divmod(round(time.monotonic() - began), 60)
    score = f"kill score {killed} of {tried} in {minutes}m{rest:02d}s"
    typer.echo(score, err=as_json)
    raise typer.Exit(0 if killed == tried else 1)
