"""The rows of the page: each spec across the models, with its verdict, its reason and its chain."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from interp.reports.page.escaping import Anchors, cut, shown
from interp.reports.page.marks import CRASHED, NOT_RUN, RUNNING, mark_of
from interp.reports.page.told import Board, Column, Href, Key, State, Told
from interp.reports.page.view import Cell, Link, Mark, Row, Step
from interp.reports.record import Case, failed_contracts
from interp.reports.summary import OF_MANY
from interp.reports.text import interval, seconds
from interp.reports.values import Value

TONES: Final = ("quiet", "good", "known", "weak", "bad", "broken")  # the last one is told
MOST_FIRST: Final = 200
MOST_REASON: Final = 600
MOST_DETAIL: Final = 4000
INSTRUMENTS: Final = ("contract", "calibration")
UNENDED: Final = {
    "crashed": (CRASHED, "its process died before it ended"),
    "running": (RUNNING, "it had not ended when this page was made"),
    "planned": (NOT_RUN, ""),
}
PARAMETERS: Final = re.compile(r"\[.*\]$", re.DOTALL)


class Rows:
    """Makes the rows; knows where each contract has its place on the page."""

    def __init__(self, runs: Sequence[Told], columns: Sequence[Column], href: Href) -> None:
        self._columns = columns
        self._href = href
        self._failed = [failed_contracts(one.record.ends, one.record.crashed) for one in runs]
        self._place: dict[str, str] = {}

    def instruments(self, board: Board, anchors: Anchors) -> tuple[Row, ...]:
        """The contracts and calibrations; to be made before what links to them."""
        rows = []
        for key, states in board.items():
            if key.role in INSTRUMENTS:
                anchor = anchors.new("instrument", key.spec_id, key.params)
                self._place |= {state.case.nodeid: anchor for state in states.values()}
                rows.append(self.row(key, states, anchor))
        return tuple(rows)

    def row(self, key: Key, states: Mapping[Column, State], anchor: str) -> Row:
        """One spec across the models."""
        case = next(iter(states.values())).case
        path = case.place.rpartition(":")[0]
        href, line = self._href(path), case.place.rpartition(":")[2]
        place = Link(case.place, f"{href}#L{line}" if href else "")
        cells = tuple(self._cell(states.get(column), column) for column in self._columns)
        return Row(named(key), anchor, cells, _said(case), place, key.role, key.params)

    def folded(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """One row for all contracts, one for all calibrations: how many hold."""
        found = []
        for role in INSTRUMENTS:
            ours = [row for row in rows if row.role == role]
            if ours:
                cells = tuple(
                    _tally([row.cells[place] for row in ours])
                    for place in range(len(self._columns))
                )
                found.append(Row(f"{role}s", "instruments", cells, role=role))
        return tuple(found)

    def _cell(self, state: State | None, column: Column) -> Cell | None:
        if state is None:
            return None
        first = in_words(state.values[0]) if state.values else ""
        if (end := state.end) is None:
            mark, reason = UNENDED[state.stage]
            return Cell(column.label, mark, first, reason)
        return Cell(
            column.label,
            mark_of(end),
            first,
            cut(end.reason, MOST_REASON),
            end.detail[-MOST_DETAIL:],
            seconds(end.seconds),
            self._chain(state, column) if end.verdict == "invalid" else (),
            cut("; ".join(end.sweeps), MOST_REASON),
        )

    def _chain(self, state: State, column: Column) -> tuple[Step, ...]:
        """Which words of this case's runs rest on which contract that failed."""
        uses = set(state.end.uses if state.end else ())
        failed = self._failed[column.run].get(column.model or "", [])
        return tuple(
            Step(_shared(case, uses), Link(_named_case(case), f"#{self._place[case.nodeid]}"))
            for case in failed
            if case.concerns(uses)
        )


def named(key: Key) -> str:
    """A spec and its parameters."""
    return f"{key.spec_id}[{key.params}]" if key.params else key.spec_id


def in_words(value: Value) -> str:
    """A value as a cell shows it: `rescued 0.42 [0.31, 0.54]`."""
    parts = (value.metric, shown(value.value), interval(value.low, value.high))
    return cut(" ".join(part for part in parts if part), MOST_FIRST)


def _named_case(case: Case) -> str:
    return f"{case.spec_id}[{case.params}]" if case.params else case.spec_id


def _said(case: Case) -> str:
    """What a test asserts, which its name says: `test_a_thing_holds[model]` as `a thing holds`."""
    name = PARAMETERS.sub("", case.nodeid.rpartition("::")[2] or case.nodeid)
    return name.removeprefix("test_").replace("_", " ")


def _shared(case: Case, uses: set[str]) -> str:
    return " + ".join(next((guard for guard in case.guards if set(guard) <= uses), ()))


def _tally(cells: Sequence[Cell | None]) -> Cell | None:
    """All of them as one cell, which looks like the worst."""
    there = [cell for cell in cells if cell]
    if not there:
        return None
    marks = [cell.mark for cell in there]
    worst = max(marks, key=lambda mark: TONES.index(mark.tone))
    said = ", ".join(_counted(marks.count(mark), mark.word) for mark in _in_order(marks))
    return Cell(there[0].model, worst, said)


def _counted(many: int, word: str) -> str:
    return f"{many} {word if many == 1 else OF_MANY.get(word, word)}"


def _in_order(marks: Sequence[Mark]) -> list[Mark]:
    return sorted(set(marks), key=lambda mark: (-TONES.index(mark.tone), mark.word))
