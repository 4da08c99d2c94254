"""A run as its journal tells it: what was planned, measured, finished, and what crashed."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from interp.errors import DataError
from interp.reports.journal import SCHEMA
from interp.reports.values import Identity, Value
from interp.reports.verdicts import Verdict

Role = Literal["contract", "calibration", "finding", "spec"]
Line = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """One spec on one model, as it was planned."""

    nodeid: str
    spec_id: str
    spec_version: int
    role: Role
    model: str | None
    params: str = ""  # the id of its other parameters
    guards: tuple[tuple[str, ...], ...] = ()  # a contract's: each a set of words it speaks for
    claim: str = ""
    source: str = ""
    differs: str = ""
    place: str = ""  # path:line, below the root

    def concerns(self, uses: Collection[str]) -> bool:
        """Whether what used these verbs and sites rests on this contract.

        A contract without guards is one that everything rests on.
        """
        return not self.guards or any(set(guard) <= set(uses) for guard in self.guards)


@dataclass(frozen=True)
class End:
    """How a case ended."""

    case: Case
    verdict: Verdict
    accepted: bool
    reason: str
    seconds: float
    uses: tuple[str, ...] = ()  # the verbs and sites of its runs
    detail: str = ""  # of a failure: the end of what pytest says, and of what was captured


@dataclass(frozen=True)
class Load:
    """One loading of one model."""

    model: str
    seconds: float
    identity: Identity
    writer: str
    memory: int = 0  # bytes that its process then held


@dataclass(frozen=True)
class Drawn:
    """A chart that a spec recorded, as it stands in the journal: see `interp.charts.from_json`."""

    nodeid: str
    spec_id: str
    model: str | None
    name: str
    chart: Line


@dataclass(frozen=True)
class RunRecord:
    """Everything a run left behind; `torn` counts the lines that were cut short."""

    folder: Path
    manifest: Line
    planned: tuple[Case, ...]
    values: tuple[Value, ...]
    ends: tuple[End, ...]
    crashed: tuple[Case, ...]
    loads: tuple[Load, ...]
    torn: int
    charts: tuple[Drawn, ...] = ()

    @property
    def not_run(self) -> tuple[Case, ...]:
        """What was planned and never started."""
        seen = {end.case.nodeid for end in self.ends} | {case.nodeid for case in self.crashed}
        return tuple(case for case in self.planned if case.nodeid not in seen)


def read_run(folder: Path) -> RunRecord:
    """Read the parts of a run, whatever became of the processes that wrote them.

    Raises:
        DataError: there is no run in this folder, or a newer version wrote it.
    """
    parts = sorted((folder / "parts").glob("*.jsonl"))
    if not parts:
        raise DataError("there is no run here", expected="parts/*.jsonl", where=str(folder))
    torn = 0
    rows: list[Line] = []
    for path in parts:
        for row in read_lines(path):
            if row is None:
                torn += 1
            else:
                rows.append({**row, "writer": path.stem})
    rows.sort(key=lambda row: (row["t"], row["writer"], row["seq"]))
    ends = _ends(rows)
    started = {row["nodeid"]: row for row in rows if row["kind"] == "test_start"}
    return RunRecord(
        folder,
        _json(folder / "manifest.json", {}),
        tuple(_as(Case, row) for row in _json(folder / "collection.json", [])),
        tuple(_as(Value, row) for row in rows if row["kind"] == "value"),
        tuple(ends.values()),
        tuple(_as(Case, row) for nodeid, row in started.items() if nodeid not in ends),
        tuple(_as(Load, row) for row in rows if row["kind"] == "model_load"),
        torn,
        tuple(_charts(rows)),
    )


def read_lines(path: Path) -> Iterator[Line | None]:
    """The lines of one journal or baseline file; None for one that is torn.

    Raises:
        DataError: a newer version of this library wrote it.
    """
    for text in path.read_bytes().split(b"\n"):
        if not text:
            continue
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not {"v", "kind", "seq", "t"} <= row.keys():
            yield None
        elif row["v"] > SCHEMA:
            raise DataError(
                "a newer version of interp wrote this journal",
                expected=f"version {SCHEMA} or older",
                received=row["v"],
                where=str(path),
            )
        else:
            yield row


def failed_contracts(
    ends: tuple[End, ...] | list[End], crashed: tuple[Case, ...]
) -> dict[str, list[Case]]:
    """The contracts that do not hold, or killed their process, by model."""
    broken: dict[str, list[Case]] = {}
    failed = [end.case for end in ends if end.verdict == "fails" and end.case.role == "contract"]
    for case in [*failed, *(case for case in crashed if case.role == "contract")]:
        if case.model is not None:
            broken.setdefault(case.model, []).append(case)
    return broken


def _ends(rows: list[Line]) -> dict[str, End]:
    """The last word on each case, with what rests on a failed contract made invalid.

    A worker knows only the contracts it ran itself; here all of them are known.
    """
    ends: dict[str, End] = {}
    for row in rows:
        if row["kind"] == "test_end":
            ends[row["nodeid"]] = _as(End, {**row, "case": _as(Case, row)})
        elif row["kind"] == "teardown_error" and row["nodeid"] in ends:
            ends[row["nodeid"]] = replace(
                ends[row["nodeid"]], verdict="error", accepted=False, reason=row["reason"]
            )
    broken = failed_contracts(list(ends.values()), ())
    return {nodeid: _after_contracts(end, broken) for nodeid, end in ends.items()}


def _charts(rows: list[Line]) -> Iterator[Drawn]:
    """The charts in the order in which they were made; of a case that ran twice, its last ones."""
    drawn = {(row["nodeid"], row["name"]): row for row in rows if row["kind"] == "chart"}
    return (_as(Drawn, row) for row in drawn.values())


def _after_contracts(end: End, broken: Mapping[str, list[Case]]) -> End:
    if end.case.role in {"contract", "spec"} or end.verdict == "skipped":
        return end
    reason = because_of(broken.get(end.case.model or "", []), end.uses)
    return replace(end, verdict="invalid", accepted=False, reason=reason) if reason else end


def because_of(failed: Sequence[Case], uses: Collection[str]) -> str:
    """Why what used these verbs and sites is invalid: the chain, or nothing if it is not."""
    parts = []
    for name, words in {case.spec_id: _shared(case, uses) for case in failed}.items():
        if words is not None:
            parts.append(f"{words} -> {name}" if words else name)
    return f"stands on what failed on this model: {', '.join(parts)}" if parts else ""


def _shared(case: Case, uses: Collection[str]) -> str | None:
    """The words by which these uses rest on a contract; None if they do not."""
    if not case.concerns(uses):
        return None
    return " + ".join(next((guard for guard in case.guards if set(guard) <= set(uses)), ()))


def _as(kind: type[T], row: Line) -> T:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # all of them are dataclasses
    return kind(**{name: value for name, value in row.items() if name in names})


def _json(path: Path, otherwise: Any) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return otherwise
