"""The exit status: which of several faults counts, when drift does, and the words for it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from interp.reports.exit_status import Outcome, Session, outcome_of
from interp.reports.record import Case, End, RunRecord
from interp.reports.values import Value


@dataclass(frozen=True)
class Moved:
    model: str | None = "llama-a"


@dataclass(frozen=True)
class Compared:
    """As much of `interp.reports.compare.Comparison` as the exit status reads."""

    drifted: tuple = ()
    missing: tuple = ()
    new: tuple = ()
    verdicts: tuple = ()


GATE = Session(0, gate=True, with_baseline=frozenset({"llama-a"}))
VALUE = Value("f.a", 1, "x", 1, None, None, None, None, "1", None, {}, None, None, "t::f")


def case(name, role="finding"):
    return Case(f"t::{name}", name, 1, role, "llama-a")


def record(*ends, crashed=(), planned=(), values=(VALUE,)):
    given = tuple(
        End(case(f"{place}", role), verdict, accepted, "", 0.0)
        for place, (role, verdict, accepted) in enumerate(ends)
    )
    return RunRecord(Path(), {}, planned, values, given, crashed, (), 0)


HOLDS = ("finding", "holds", False)
FAILS = ("finding", "fails", False)
ACCEPTED = ("finding", "fails", True)
BROKEN = ("contract", "fails", False)
ERROR = ("finding", "error", False)
WEAK = ("finding", "inconclusive", False)
KNOWN_WEAK = ("finding", "inconclusive", True)
STOPPED = "incomplete: 1 stopped with an error"
DRIFT = Compared(drifted=(Moved(),))


@pytest.mark.parametrize(
    ("ends", "session", "comparison", "expected"),
    [
        ([HOLDS], GATE, Compared(), (0, "all is well")),
        ([HOLDS], GATE, None, (0, "all is well")),
        ([ACCEPTED], GATE, Compared(), (0, "all is well")),
        ([HOLDS], GATE, DRIFT, (10, "1 value drifted")),
        ([HOLDS], Session(0), DRIFT, (0, "all is well")),
        ([FAILS], GATE, DRIFT, (1, "1 claim does not hold; 1 value drifted")),
        ([FAILS, ERROR], GATE, DRIFT, (11, f"{STOPPED}; 1 claim does not hold; 1 value drifted")),
        ([BROKEN, ERROR], GATE, DRIFT, (12, f"1 instrument failed; {STOPPED}; 1 value drifted")),
        ([WEAK], GATE, Compared(), (11, "incomplete: 1 inconclusive")),
        ([WEAK, KNOWN_WEAK], GATE, Compared(), (11, "incomplete: 1 inconclusive")),
        ([WEAK], Session(0), Compared(), (0, "all is well")),
        ([HOLDS], Session(2, gate=True), DRIFT, (2, "pytest stopped before the end")),
        ([], Session(5), None, (5, "no spec was selected")),
    ],
)  # fmt: skip
def test_the_highest_fault_counts_and_every_one_is_said(ends, session, comparison, expected):
    values = (VALUE,) if ends else ()
    assert outcome_of(record(*ends, values=values), session, comparison) == Outcome(*expected)


def test_drift_lies_between_a_claim_and_nothing_collected():
    found = outcome_of(record(), Session(5, gate=True), DRIFT)
    assert (found.status, found.meaning) == (10, "1 value drifted")


def test_what_drifted_is_counted_once_and_by_its_kind():
    missing = (Moved(), Moved())
    drift = Compared(drifted=(Moved(),), missing=missing, verdicts=(Moved(),))
    assert outcome_of(record(HOLDS), GATE, drift) == Outcome(
        10, "1 verdict changed, 1 value drifted, 2 values missing"
    )


@pytest.mark.parametrize(
    ("model", "allowed", "status"),
    [("llama-a", False, 10), ("llama-a", True, 0), ("gpt-b", False, 0), (None, False, 0)],
)
def test_a_new_value_counts_where_the_model_has_a_baseline(model, allowed, status):
    session = Session(0, gate=True, allow_new=allowed, with_baseline=frozenset({"llama-a"}))
    found = outcome_of(record(HOLDS), session, Compared(new=(Moved(model),)))
    assert found.status == status
    assert ("new to the baseline" in found.meaning) == (status == 10)


def test_a_crash_and_what_did_not_run_are_incomplete():
    planned = (case("0"), case("1"), case("2"))
    found = outcome_of(record(HOLDS, crashed=(case("1"),), planned=planned), Session(1))
    assert found == Outcome(11, "incomplete: 1 crashed, 1 not run")
