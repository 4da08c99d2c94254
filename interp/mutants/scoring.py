"""The score: the untouched code must pass its own specs, and every mutant must fail one."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import typer

from interp.backends.installed import to_install
from interp.mutants.caught import load_caught
from interp.mutants.planting import Mutant
from interp.mutants.project import TWINS, write_project
from interp.mutants.running import CONTROL_LIMIT, Bench, Trial, prepare, trials
from interp.mutants.table import Row, width
from interp.reports.text import clip, count, seconds

INSTRUMENT: Final = 12  # as of a run: the instrument itself failed


def scored(
    mutants: Mapping[str, Mutant], *, also: Sequence[str], families: Sequence[str], jobs: int
) -> list[Row]:
    """A row for each mutant, in their order; those that nothing caught come first.

    Args:
        mutants: which, by name.
        also: the modules beside ours in which they are found.
        families: of which twins are made; none means a few that differ most.
        jobs: how many trials at a time.

    Raises:
        typer.Exit: the specs fail without any bug.
    """
    with TemporaryDirectory(prefix="interp-mutants-") as folder:
        prepare()
        project = write_project(Path(folder), tuple(families) or TWINS)
        bench = Bench(project, tuple(also), caught=load_caught())
        known = _controlled(bench)
        tried = [name for name, one in mutants.items() if not to_install(one.needs)]
        ended = _told(trials(known, tried, jobs=jobs), len(tried))
    rows = [_row(mutant, ended.get(name)) for name, mutant in mutants.items()]
    return sorted(rows, key=lambda row: bool(row.killed_by))


def _controlled(bench: Bench) -> Bench:
    """The bench, once the untouched code has passed its own specs on it.

    Raises:
        typer.Exit: it does not.
    """
    (control,) = trials(bench, [""], jobs=1, limit=CONTROL_LIMIT)
    if control.outcome.kind != "survived":
        log = bench.project.log_of("control").read_text(encoding="utf-8", errors="replace")
        typer.echo(f"{log}\nthe specs fail without any bug: {control.outcome.by}", err=True)
        raise typer.Exit(INSTRUMENT)
    usual = control.outcome.usual
    silent = f", {len(usual.silent)} say nothing here" if usual.silent else ""
    passed = count(len(usual.seconds) - len(usual.silent), "spec")
    line = f"control: {passed} pass without any bug{silent}, in {seconds(control.seconds)}"
    typer.echo(line, err=True)
    return replace(bench, usual=usual)


def _told(ended: Iterable[Trial], n: int) -> dict[str, Trial]:
    """The trials by name; on a terminal a line says how far they are."""
    began, done = time.monotonic(), dict[str, Trial]()
    for trial in ended:
        done[trial.name] = trial
        left = (time.monotonic() - began) / len(done) * (n - len(done))
        if sys.stderr.isatty():
            line = f"[{len(done)}/{n}] {trial.name}: {trial.outcome.kind}, {seconds(left)} left"
            typer.echo(f"\r\x1b[K{clip(line, width())}", nl=len(done) == n, err=True)
    return done


def _row(mutant: Mutant, trial: Trial | None) -> Row:
    if trial is None:
        why = f"not tried: the {mutant.needs} backend is not installed; {to_install(mutant.needs)}"
        return Row(mutant.name, mutant.origin, "", why, tried=False)
    outcome = trial.outcome
    took = round(trial.seconds, 1)
    if outcome.kind in ("killed", "timeout"):
        caught = (outcome.by, outcome.reason)
        return Row(mutant.name, mutant.origin, *caught, took, spec=outcome.spec)
    said = [outcome.kind, *filter(None, (outcome.by, outcome.reason))]
    return Row(mutant.name, mutant.origin, "", ": ".join(said), took)
