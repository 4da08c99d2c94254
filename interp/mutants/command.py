"""The command `interp mutants`: plant each known bug, and print what caught it."""

import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer

from interp.mutants.catalogue import catalogue, chosen
from interp.mutants.planting import Mutant
from interp.mutants.project import write_project
from interp.mutants.running import Bench, Trial, prepare, trials
from interp.reports.text import clip, seconds

INSTRUMENT: Final = 12  # as of a run: the instrument itself failed


@dataclass(frozen=True)
class Row:
    """One line of the table; `killed_by` is empty where nothing caught the bug."""

    name: str
    origin: str
    killed_by: str
    reason: str
    seconds: float


def mutants(
    expression: Annotated[
        str,
        typer.Option("-k", metavar="EXPR", help="Part of their names; and, or, not."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="A list of flat objects.")] = False,  # noqa: FBT002  typer's way to write a flag
    listed: Annotated[bool, typer.Option("--list", help="Name them, and run nothing.")] = False,  # noqa: FBT002  likewise
    also: Annotated[
        list[str] | None, typer.Option(metavar="MODULE", help="A module with MUTANTS of your own.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many at a time.")] = 2,
) -> None:
    """Plant known bugs one at a time, and print which spec catches each."""
    more = tuple(also or ())
    found = catalogue(more)
    names = chosen(found, expression)
    if listed:
        _show([Row(name, found[name].origin, "", "", 0.0) for name in names], as_json=as_json)
        return
    began = time.monotonic()
    with TemporaryDirectory(prefix="interp-mutants-") as folder:
        rows = _scored(Path(folder), found, names, more, jobs)
    survived = [row for row in rows if not row.killed_by]
    _show([*survived, *(row for row in rows if row.killed_by)], as_json=as_json)
    score = f"kill score {len(rows) - len(survived)} of {len(rows)} in {_clock(began)}"
    typer.echo(score, err=as_json)
    raise typer.Exit(1 if survived else 0)


def _scored(
    folder: Path, found: dict[str, Mutant], names: Sequence[str], also: tuple[str, ...], jobs: int
) -> list[Row]:
    """A row for each mutant, in the order of the catalogue.

    Raises:
        typer.Exit: the untouched code fails its own specs.
    """
    prepare()
    project = write_project(folder)
    (control,) = trials(Bench(project), [""], jobs=1)
    if control.outcome.kind != "survived":
        log = project.log_of("control").read_text(encoding="utf-8", errors="replace")
        typer.echo(f"{log}\nthe specs fail without any bug: {control.outcome.by}", err=True)
        raise typer.Exit(INSTRUMENT)
    typer.echo(f"control: all specs pass without any bug, in {seconds(control.seconds)}", err=True)
    bench = Bench(project, also, control.outcome.usual)
    ended = _told(trials(bench, names, jobs=jobs), len(names))
    return [_row(found[name], ended[name]) for name in names]


def _told(ended: Iterable[Trial], n: int) -> dict[str, Trial]:
    """The trials by name, with a line for each on a terminal as it ends."""
    began, done = time.monotonic(), dict[str, Trial]()
    for trial in ended:
        done[trial.name] = trial
        left = (time.monotonic() - began) / len(done) * (n - len(done))
        if sys.stderr.isatty():
            line = f"[{len(done)}/{n}] {trial.name}: {trial.outcome.kind}, {seconds(left)} left"
            typer.echo(f"\r\x1b[K{clip(line, _width())}", nl=len(done) == n, err=True)
    return done


def _row(mutant: Mutant, trial: Trial) -> Row:
    outcome = trial.outcome
    caught = outcome.by if outcome.kind in ("killed", "timeout") else ""
    reason = outcome.reason if caught else f"{outcome.kind}: {outcome.by} {outcome.reason}".strip()
    return Row(mutant.name, mutant.origin, caught, reason, round(trial.seconds, 1))


def _show(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    name, origin = (max(len(getattr(r, key)) for r in rows) for key in ("name", "origin"))
    for row in rows:
        caught = _short(row.killed_by) or row.reason
        line = f"{row.name:<{name}}  {row.origin:<{min(origin, 34)}}  {caught}"
        red = None if row.killed_by or not row.reason else "red"
        typer.secho(clip(line.rstrip(), _width()), fg=red)


def _short(nodeid: str) -> str:
    """`contracts/test_x.py::test_y[z]` as `x: y [z]`, underscores as spaces."""
    path, _, test = nodeid.partition("::")
    return f"{Path(path).stem}: {test}".replace("test_", "") if test else nodeid


def _width() -> int:
    return shutil.get_terminal_size((120, 24)).columns


def _clock(began: float) -> str:
    minutes, rest = divmod(round(time.monotonic() - began), 60)
    return f"{minutes}m{rest:02d}s"
