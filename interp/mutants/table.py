"""What became of each mutant, as lines of a table or as JSON."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import typer

from interp.reports.text import clip

ORIGIN_WIDTH: Final = 34


@dataclass(frozen=True)
class Row:
    """One mutant; `killed_by` is empty where nothing caught it, and `reason` says why.

    `spec` is what ran when it was caught, also where `killed_by` names a model's self-check.
    """

    name: str
    origin: str
    killed_by: str = ""
    reason: str = ""
    seconds: float = 0.0
    tried: bool = True
    spec: str = ""


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the rows; on a terminal those that were tried and not caught are red."""
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    name, origin = (max(len(getattr(row, key)) for row in rows) for key in ("name", "origin"))
    for row in rows:
        from_where = f"{clip(row.origin, ORIGIN_WIDTH):<{min(origin, ORIGIN_WIDTH)}}"
        line = f"{row.name:<{name}}  {from_where}  {_short(row.killed_by) or row.reason}"
        red = None if row.killed_by or not row.reason or not row.tried else "red"
        typer.secho(clip(line.rstrip(), width()), fg=red)


def width() -> int:
    """How wide a line may be; without a terminal, as wide as most pages."""
    return shutil.get_terminal_size((120, 24)).columns


def _short(nodeid: str) -> str:
    """`specs/contracts/test_x.py::test_y[z]` as `x: y[z]`; other words as they are."""
    path, _, test = nodeid.partition("::")
    return f"{Path(path).stem}: {test}".replace("test_", "") if test else nodeid
