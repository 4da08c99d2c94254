"""`interp diff`: what moved between two runs, and what around them could be the cause."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from interp.reports.compare import Change, Moved, changes_around, moved_values, moved_verdicts
from interp.reports.record import read_run
from interp.reports.text import number, plain


def diff(
    before: Annotated[Path, typer.Argument(help="The folder of a run.")],
    after: Annotated[Path, typer.Argument(help="The folder of a later run.")],
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what stayed the same.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A list of flat objects.")] = False,
) -> None:
    """Compare two runs: verdicts and values that moved, and what was different around them."""
    runs = read_run(before), read_run(after)
    around, verdicts = changes_around(*runs), moved_verdicts(*runs)
    values = [one for one in moved_values(*runs) if everything or one.kind != "same"]
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in values], indent=1))
        return
    for line in _lines(values, verdicts, around):
        typer.echo(line)


def _lines(
    values: Sequence[Moved], verdicts: Sequence[Change], around: Sequence[Change]
) -> Iterator[str]:
    yield from (f"{plain(one.what)}: {one.before} -> {one.after}" for one in verdicts)
    for one in values:
        named = " ".join(plain(word) for word in (one.model or "", one.finding, one.name))
        yield f"{named}: {_shown(one.before)} -> {_shown(one.after)}  {one.kind}"
    yield f"{len(values)} values and {len(verdicts)} verdicts differ"
    yield "different around them:" if around else "nothing is different around them"
    yield from (f"  {plain(one.what)}: {plain(one.before)} -> {plain(one.after)}" for one in around)


def _shown(value: object) -> str:
    if value is None:
        return "not measured"
    return number(value) if isinstance(value, (int, float)) else plain(str(value))
