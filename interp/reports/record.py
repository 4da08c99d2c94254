"""A run as its journal tells it: what was planned, measured, finished, and what crashed."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from interp.reports.lines import Line, read_folder
from interp.reports.merge import merge
from interp.reports.values import Identity, Value
from interp.reports.verdicts import Verdict

Role = Literal["contract", "calibration", "finding", "spec"]
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
    scales: tuple[str, ...] = ()  # metrics that are set beside the sizes of models

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
    sweeps: tuple[str, ...] = ()  # how its sweeps were computed: "cone", or "plain" and why


@dataclass(frozen=True)
class Load:
    """One loading of one model."""

    model: str
    seconds: float
    identity: Identity
    writer: str
    memory: int = 0  # bytes that its process then held


@dataclass(frozen=True)
class Freed:
    """One giving back of one model, and the most that its process had held by then."""

    model: str
    held_by: tuple[str, ...] = ()
    peak: int = 0  # bytes


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
    """Everything a run left behind; `torn` counts the lines that were cut short.

    While it still goes on, `writers` are the processes that write, `running` the cases they are at.
    """

    folder: Path
    manifest: Line
    planned: tuple[Case, ...]
    values: tuple[Value, ...]
    ends: tuple[End, ...]
    crashed: tuple[Case, ...]
    loads: tuple[Load, ...]
    torn: int
    charts: tuple[Drawn, ...] = ()
    running: tuple[Case, ...] = ()
    writers: tuple[str, ...] = ()
    frees: tuple[Freed, ...] = ()

    @property
    def not_run(self) -> tuple[Case, ...]:
        """What was planned and never started, or was interrupted."""
        ended = [end.case for end in self.ends]
        seen = {case.nodeid for case in (*ended, *self.crashed, *self.running)}
        return tuple(case for case in self.planned if case.nodeid not in seen)


def read_run(folder: Path) -> RunRecord:
    """Read a run, whatever became of the processes that wrote it; also one that was merged.

    Raises:
        DataError: there is no run in this folder, or a newer version wrote it.
    """
    lines = read_folder(folder)
    rows = [row for row in merge(lines.rows) if not row.get("superseded")]
    ends = _ends(rows)
    open_now = dict(_open(rows, ends))
    started = {nodeid: _as(Case, row) for nodeid, row in open_now.items()}
    alive = {nodeid for nodeid, row in open_now.items() if row["writer"] in lines.alive}
    return RunRecord(
        folder,
        _json(folder / "manifest.json", {}),
        tuple(_as(Case, row) for row in _json(folder / "collection.json", [])),
        tuple(_as(Value, row) for row in rows if row["kind"] == "value"),
        tuple(ends.values()),
        tuple(case for nodeid, case in started.items() if nodeid not in alive),
        tuple(_as(Load, row) for row in rows if row["kind"] == "model_load"),
        sum(lines.torn.values()),
        tuple(_charts(rows)),
        tuple(case for nodeid, case in started.items() if nodeid in alive),
        tuple(sorted(lines.alive)),
        tuple(_as(Freed, row) for row in rows if row["kind"] == "model_free"),
    )


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


def _open(rows: Iterable[Line], ends: Collection[str]) -> Iterator[tuple[str, Line]]:
    """The lines that started a case which has not ended, and was not interrupted."""
    last = {row["nodeid"]: row for row in rows if row["kind"] in {"test_start", "test_stop"}}
    for nodeid, row in last.items():
        if nodeid not in ends and row["kind"] == "test_start":
            yield nodeid, row


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
