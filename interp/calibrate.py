"""The command `interp calibrate`: measure the findings several harmless ways, keep what moves."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final, NamedTuple

import typer

from interp.backends.installed import to_install
from interp.errors import DataError, RequestError, closest
from interp.project import find_registry
from interp.registry import BackendName
from interp.reports.noise import (
    ONLY_ON_TORCH,
    PLAIN,
    VARIATIONS,
    Noise,
    drowned,
    is_visible,
    load_noise,
    noise_file,
    save_noise,
    updated,
)
from interp.reports.record import RunRecord, read_run
from interp.reports.spread import measured, spreads
from interp.reports.text import clip, count, number, plain, seconds, squeeze

FINDINGS: Final = "specs/findings"
USUAL: Final = tuple(name for name in VARIATIONS if name != "batch-1")  # a pass a row takes long
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
NARROWEST: Final = 12


@dataclass(frozen=True)
class Asked:
    """What to calibrate, and where."""

    root: Path
    reports: Path
    models: tuple[str, ...]
    expression: str
    variations: tuple[str, ...]
    backend: BackendName | None = None


class Row(NamedTuple):
    """One line of the table."""

    name: str
    value: str
    spread: str
    by: str


def calibrate(
    model: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="These models; repeatable.")
    ] = None,
    expression: Annotated[
        str, typer.Option("-k", metavar="EXPR", help="Part of the specs' names; and, or, not.")
    ] = "",
    vary: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"Of {', '.join(VARIATIONS)}.")
    ] = None,
    backend: Annotated[
        BackendName | None, typer.Option(help="Compute with this (default: the registry's).")
    ] = None,
    reports_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where noise/ is kept (default: reports).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A list of flat objects.")] = False,  # noqa: FBT002  typer's way to write a flag
) -> None:
    """Measure how far each finding's values move under changes that should not matter."""
    root = find_registry(Path.cwd()).parents[1]
    reports = root / "reports" if reports_dir is None else reports_dir.absolute()
    variations = _variations(vary, backend)
    asked = Asked(root, reports, tuple(model or ()), expression, variations, backend)
    if not (root / FINDINGS).is_dir():
        raise RequestError("there is nothing to calibrate", expected=FINDINGS, where=str(root))
    for path in sorted((reports / "noise").glob("*.jsonl")):
        load_noise(path)  # refused now, not after minutes of work
    with TemporaryDirectory(prefix="interp-calibrate-") as folder:
        records = dict(_records(Path(folder), asked))
    first = records.pop(PLAIN)
    found = spreads(first, records)
    if not found:
        raise DataError("no finding measured a number", asked="interp calibrate", where=str(root))
    complete = not expression and not _broken(first)
    for name, rows in found.items():
        path = noise_file(reports, name)
        save_noise(path, updated(load_noise(path), rows, complete=complete))
    _show(found, as_json=as_json)
    for line in _summary(found, first, records):
        typer.echo(line, err=as_json)
    typer.echo(f"kept in {_short(reports / 'noise', root)}", err=as_json)


def _variations(asked: Sequence[str] | None, backend: BackendName | None) -> tuple[str, ...]:
    """The ways that were asked for, or the usual ones that this backend has.

    Raises:
        RequestError: the backend is not installed, or there is no such way, at all or on it.
    """
    absent = ONLY_ON_TORCH if backend not in (None, "torch") else ()
    had = [name for name in VARIATIONS if name not in absent]
    for name in asked or ():
        if name not in had:
            where = f" on {backend}" if name in absent else ""
            raise RequestError(
                f"no such variation{where}",
                asked=f"--vary {name}",
                expected=", ".join(had),
                hint="" if where else closest(name, had),
            )
    if backend and (command := to_install(backend)):
        raise RequestError(f"the {backend} backend is not installed", hint=command)
    return tuple(dict.fromkeys(asked or (name for name in USUAL if name in had)))


def _summary(
    found: Mapping[str, Sequence[Noise]], first: RunRecord, others: Mapping[str, RunRecord]
) -> Iterator[str]:
    """A line for each model, and one for what was not measured in every run."""
    values = measured(first)
    for model, rows in found.items():
        moved = [row for row in rows if row.spread]
        seen = [row for row in moved if is_visible(row.value, row.spread)]
        lost = [row for row in moved if drowned(values[model, row.place], row)]
        yield plain(
            f"{model}: {count(len(rows), 'value')}, {len(moved)} moved, {len(seen)} of them in the "
            f"digits shown; {len(lost)} no larger than the noise"
        )
    tables = [set(measured(record)) for record in others.values()]
    everywhere = set(values).intersection(*tables)
    if partly := len(set(values).union(*tables) - everywhere):
        yield f"not measured in every run: {count(partly, 'value')}"


def _records(folder: Path, asked: Asked) -> Iterator[tuple[str, RunRecord]]:
    """The plain run, then one for each variation, with a line for each as it ends."""
    names, began = (PLAIN, *asked.variations), time.monotonic()
    typer.echo(f"{FINDINGS}, one after another: {', '.join(names)}", err=True)
    for done, name in enumerate(names, start=1):
        record = _run(folder / name, name, asked)
        parts = [f"[{done}/{len(names)}] {name}: {count(len(record.values), 'value')}"]
        if broken := _broken(record):
            parts.append(f"{count(broken, 'spec')} did not end well")
        if left := (time.monotonic() - began) / done * (len(names) - done):
            parts.append(f"about {seconds(left)} left")
        typer.echo(", ".join(parts), err=True)
        yield name, record


def _run(run: Path, name: str, asked: Asked) -> RunRecord:
    """One session of pytest in a process of its own.

    Raises:
        DataError: it left no run behind.
    """
    command = [sys.executable, "-m", "pytest", FINDINGS, "-p", "no:cacheprovider", "--no-report"]
    command += ["--vary", name, "--run-dir", str(run), "--reports-dir", str(asked.reports)]
    command += [word for model in asked.models for word in ("--model", model)]
    command += ["-k", asked.expression] if asked.expression else []
    command += ["--backend", asked.backend] if asked.backend else []
    environment = {**os.environ, **ONE_THREAD}
    if name == "threads-2":
        environment["OMP_NUM_THREADS"] = "2"
    done = subprocess.run(  # noqa: S603  our own words, no shell
        command, cwd=asked.root, env=environment, capture_output=True, text=True, check=False
    )
    with suppress(DataError):
        return read_run(run)
    raise DataError(
        "the specs left nothing to read",
        asked=f"interp calibrate, {name}",
        expected="a run of pytest that measures something",
        received=_complaint(done.stderr, done.stdout) or f"status {done.returncode}",
        hint=" ".join(["pytest", *command[3:6], "--vary", name]),
    )


def _complaint(errors: str, output: str) -> str:
    """The line in which pytest says what is wrong."""
    wrong = [line for line in errors.splitlines() if line.startswith("ERROR")]
    why = [line for line in output.splitlines() if line.startswith("E ")]
    rest = (errors + output).strip().splitlines()
    found = wrong[:1] or why[-1:] or rest[-1:]
    return plain(found[0]).removeprefix("E ").strip() if found else ""


def _broken(record: RunRecord) -> int:
    errors = sum(end.verdict == "error" for end in record.ends)
    return errors + len(record.crashed) + len(record.not_run)


def _show(found: Mapping[str, Sequence[Noise]], *, as_json: bool) -> None:
    if as_json:
        flat = [_flat(model, row) for model, rows in found.items() for row in rows]
        typer.echo(json.dumps(flat, indent=1, allow_nan=False))
        return
    for model, rows in found.items():
        typer.echo(plain(model))
        for line in _table([_row(one) for one in rows], _width()):
            typer.echo(line)


def _flat(model: str, row: Noise) -> dict[str, str | int | float]:
    return {
        "model": model,
        "spec_id": row.spec_id,
        "spec_version": row.spec_version,
        "name": row.name,
        "params": row.params,
        "value": row.value,
        "spread": row.spread,
        "by": row.by,
        "variations": row.variations,
    }


def _row(one: Noise) -> Row:
    spread = number(one.spread) if one.spread else "0"
    return Row(plain(f"{one.spec_id}  {one.name}"), number(one.value), spread, one.by)


def _table(rows: Sequence[Row], width: int) -> Iterator[str]:
    """The rows in columns that fit; the names give way."""
    every = [Row("", "value", "spread", "by"), *rows]
    sizes = [max(len(row[column]) for row in every) for column in range(len(Row._fields))]
    name = max(NARROWEST, min(sizes[0], width - sum(sizes[1:]) - 2 * len(sizes)))
    for row in every:
        numbers = f"{row.value.rjust(sizes[1])}  {row.spread.rjust(sizes[2])}"
        yield clip(f"  {squeeze(row.name, name).ljust(name)}  {numbers}  {row.by}".rstrip(), width)


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _short(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
