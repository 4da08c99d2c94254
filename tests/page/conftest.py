"""Runs to show, made by hand: one with every state that a case can be in, one full of traps."""

from dataclasses import replace

import pytest

from interp.charts import Curves, Line, Plot, to_json
from interp.reports.around import Change
from interp.reports.baselines import reference_of
from interp.reports.compare import Comparison, VerdictChange
from interp.reports.exit_status import Outcome
from interp.reports.judging import Compared
from interp.reports.page import Told, render
from interp.reports.record import Drawn, End
from tests.page.made import NASTY, STATES, case_of, nasty_run, run_of, value_of


@pytest.fixture
def every_state():
    """A run with a failed contract and a finding in each state."""
    findings = {state: case_of(f"is.{state}") for state in (*STATES, "planned")}
    contract = case_of("alpha-zero", "contract", guards=(("run", "steer"),))
    ends = [End(contract, "fails", False, "assert 1.0 == 0.0", 0.5, (), "E   assert 1.0 == 0.0")]
    for state in STATES[:-1]:
        verdict = "fails" if state == "accepted" else state
        reason = "" if state == "holds" else f"this is why: {state}"
        uses = ("resid_post", "run", "steer")
        ends.append(End(findings[state], verdict, state == "accepted", reason, 2.0, uses))
    values = [value_of(findings[state]) for state in ("holds", "fails", "accepted", "crashed")]
    planned = (contract, *findings.values())
    record = run_of(planned, tuple(ends), tuple(values), (findings["crashed"],))
    return Told(record, Outcome(12, "1 instrument failed; 1 spec invalid"))


@pytest.fixture
def moved(every_state):
    """The same, with a baseline that one value and one verdict have left."""
    first, *rest = every_state.record.values
    now = reference_of(first, params="", manifest=every_state.record.manifest)
    before = reference_of(
        value_of(case_of("is.holds"), value=0.9, low=0.8, high=0.95), params="", manifest={}
    )
    changed = Compared("small", "is.holds", 1, "rate", before, now, "drifted", "4 x noise", "far")
    verdict = VerdictChange("small", "is.fails", "", "holds", "fails", rest[0].nodeid)
    around = (Change("versions · torch", "2.12", "2.13"),)
    comparison = Comparison((changed,), (verdict,), around, "the baselines")
    return Told(every_state.record, every_state.outcome, comparison)


@pytest.fixture
def nasty():
    """A run in which every text is an attack."""
    return Told(nasty_run(), Outcome(1, NASTY))


@pytest.fixture
def page():
    """A page as text, without links to code."""
    return lambda *runs, published=None: render(runs, published or {}, href=lambda _: "")


@pytest.fixture
def several_values():
    """A finding with three numbers and a word."""
    case = case_of("is.sorted")
    numbers = {"middle": 0.05, "high": 12.5, "low": -3.0, "word": "Paris"}
    plain = {"low": None, "high": None, "unit": "x"}
    values = tuple(value_of(case, name, value, **plain) for name, value in numbers.items())
    return Told(run_of((case,), (End(case, "holds", False, "", 1.0),), values), Outcome(0, "fine"))


@pytest.fixture
def with_figures(several_values):
    """The same, with a curve."""
    line = Line("kept", (0.0, 1.0, 2.0), (0.1, 0.9, 0.3))
    chart = to_json(Curves("Kept by layer", "one prompt", "layer", (Plot("share", (line,)),)))
    case = several_values.record.planned[0]
    drawn = Drawn(case.nodeid, case.spec_id, "small", "kept", chart)
    return replace(several_values, record=replace(several_values.record, charts=(drawn,)))
