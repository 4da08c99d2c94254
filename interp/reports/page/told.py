"""What a page is made from: runs, each with what became of it, by spec and model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from interp.reports.compare import Comparison
from interp.reports.exit_status import Outcome
from interp.reports.record import Case, Drawn, End, RunRecord
from interp.reports.summary import models_of
from interp.reports.values import Value

Href = Callable[[str], str]  # from a path below the root to what a link says; empty where it is not


@dataclass(frozen=True)
class Told:
    """One run, the exit status it ended with if it came to that, and what it is compared with."""

    record: RunRecord
    outcome: Outcome | None = None
    comparison: Comparison | None = None


class Column(NamedTuple):
    """One model of one run."""

    run: int
    model: str | None
    label: str


class Key(NamedTuple):
    """What makes cases of several models and runs one spec."""

    role: str
    spec_id: str
    version: int
    params: str


@dataclass
class State:
    """One case of a run: how it ended, if it did, and what it measured."""

    case: Case
    end: End | None = None
    stage: Literal["planned", "running", "crashed"] = "planned"  # of what has no end
    values: list[Value] = field(default_factory=list)
    charts: list[Drawn] = field(default_factory=list)


Board = Mapping[Key, Mapping[Column, State]]


def columns_of(runs: Sequence[Told]) -> list[Column]:
    """The models of all runs; one that is in several is told apart by the run's name."""
    models = [models_of(told.record) for told in runs]
    every = [model for one in models for model in one]
    return [
        Column(place, model, _label(model, runs[place] if every.count(model) > 1 else None))
        for place, one in enumerate(models)
        for model in one
    ]


def board_of(runs: Sequence[Told], columns: Sequence[Column]) -> Board:
    """Every case of every run, by spec and model, findings first and else as they were planned."""
    board: dict[Key, dict[Column, State]] = {}
    by_place = {(column.run, column.model): column for column in columns}
    for place, told in enumerate(runs):
        for state in _states(told.record):
            case = state.case
            key = Key(case.role, case.spec_id, case.spec_version, case.params)
            board.setdefault(key, {})[by_place[place, case.model]] = state
    order = ("finding", "spec", "calibration", "contract")
    return {key: board[key] for key in sorted(board, key=lambda key: order.index(key.role))}


def _states(record: RunRecord) -> list[State]:
    planned = (
        *record.planned,
        *(end.case for end in record.ends),
        *record.crashed,
        *record.running,
    )
    states = {case.nodeid: State(case) for case in reversed(planned)}
    for end in record.ends:
        states[end.case.nodeid].end = end
    for case in record.crashed:
        states[case.nodeid].stage = "crashed"
    for case in record.running:
        states[case.nodeid].stage = "running"
    for value in record.values:
        if value.nodeid in states:
            states[value.nodeid].values.append(value)
    for drawn in record.charts:
        if drawn.nodeid in states:
            states[drawn.nodeid].charts.append(drawn)
    return [states[nodeid] for nodeid in dict.fromkeys(case.nodeid for case in planned)]


def _label(model: str | None, told: Told | None) -> str:
    name = model or "no model"
    return f"{name} · {run_name(told.record)}" if told else name


def run_name(record: RunRecord) -> str:
    """The name that a run gave itself, else that of its folder."""
    return str(record.manifest.get("run") or record.folder.name)
