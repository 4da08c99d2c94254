"""The exit status of a run, from its journal, and what it means in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from interp.reports.record import RunRecord
from interp.reports.text import count

INSTRUMENT: Final = 12
INCOMPLETE: Final = 11
CLAIM: Final = 1
DRIFT: Final = 10
PYTEST_OWN: Final = (2, 3, 4)
NOTHING_COLLECTED: Final = 5


@dataclass(frozen=True)
class Outcome:
    """A status and the sentence that explains it."""

    status: int
    meaning: str


@dataclass(frozen=True)
class Session:
    """What pytest itself knows of the session, which the journal does not tell."""

    status: int
    gate: bool = False
    dead_workers: int = 0
    other_failures: int = 0  # of tests that are no specs
    allow_new: bool = False  # --baseline-allow-new
    with_baseline: frozenset[str] = frozenset()  # the models that have a baseline file


class Place(Protocol):
    """Where something differs from the baseline: of which model."""

    @property
    def model(self) -> str | None:
        """The id of the model."""
        ...


class Drift(Protocol):
    """As much of a comparison with the baselines (`interp.reports.compare`) as the status needs."""

    @property
    def drifted(self) -> Sequence[Place]:
        """The values that moved further than they may."""
        ...

    @property
    def missing(self) -> Sequence[Place]:
        """The values that were planned, have a baseline, and were not measured."""
        ...

    @property
    def new(self) -> Sequence[Place]:
        """The values that the baseline does not have."""
        ...

    @property
    def verdicts(self) -> Sequence[Place]:
        """The verdicts that are not the accepted ones."""
        ...


def outcome_of(
    record: RunRecord | None, session: Session, comparison: Drift | None = None
) -> Outcome:
    """The highest of what went wrong: pytest's own, instrument, incomplete, claim, drift, nothing.

    Drift from the baselines counts under the gate alone.
    """
    if session.status in PYTEST_OWN or session.status > NOTHING_COLLECTED:
        return Outcome(session.status, "pytest stopped before the end")
    found = [
        (INSTRUMENT, _instruments(record)),
        (INCOMPLETE, _incomplete(record, session)),
        (CLAIM, _claims(record, session)),
        (DRIFT, _drift(comparison, session) if comparison and session.gate else ""),
    ]
    wrong = [(status, meaning) for status, meaning in found if meaning]
    if wrong:
        return Outcome(wrong[0][0], "; ".join(meaning for _, meaning in wrong))
    if session.status == NOTHING_COLLECTED:
        return Outcome(NOTHING_COLLECTED, "no spec was selected")
    return Outcome(session.status, "a test failed" if session.status else _well(record, session))


def _well(record: RunRecord | None, session: Session) -> str:
    """What there is to say where nothing went wrong: perhaps nothing ran, or nothing was gated."""
    if record and record.ends and all(end.verdict == "skipped" for end in record.ends):
        return "nothing ran: every spec was skipped"
    measured = {value.model_id for value in record.values if value.model_id} if record else set()
    open_ended = sorted(measured - session.with_baseline) if session.gate else []
    if open_ended:
        return f"all is well; no baseline to drift from for {', '.join(open_ended)}"
    return "all is well"


def _instruments(record: RunRecord | None) -> str:
    if record is None:
        return ""
    roles = ("contract", "calibration")
    failed = [end for end in record.ends if end.verdict == "fails" and end.case.role in roles]
    crashed = [case for case in record.crashed if case.role == "contract"]
    if not failed and not crashed:
        return ""
    invalid = sum(end.verdict == "invalid" for end in record.ends)
    also = f"; {count(invalid, 'spec')} invalid" if invalid else ""
    return f"{count(len(failed) + len(crashed), 'instrument')} failed{also}"


def _incomplete(record: RunRecord | None, session: Session) -> str:
    ends = record.ends if record else ()
    verdicts = [end.verdict for end in ends]
    weak = sum(end.verdict == "inconclusive" and not end.accepted for end in ends)
    values = len(record.values) if record else 0
    found = (
        (verdicts.count("error"), "stopped with an error"),
        (len(record.crashed) if record else 0, "crashed"),
        (session.dead_workers and not (record and record.crashed), "worker died"),
        (len(record.not_run) if record else 0, "not run"),
        (session.gate and weak, "inconclusive"),
        (session.gate and not values, "no value measured"),
    )
    parts = [word if number is True else f"{number} {word}" for number, word in found if number]
    return f"incomplete: {', '.join(parts)}" if parts else ""


def _claims(record: RunRecord | None, session: Session) -> str:
    ends = record.ends if record else ()
    claims = [end for end in ends if end.case.role in {"finding", "spec"}]
    failed = sum(end.verdict == "fails" and not end.accepted for end in claims)
    if failed:
        return f"{count(failed, 'claim')} {'does' if failed == 1 else 'do'} not hold"
    return count(session.other_failures, "test") + " failed" if session.other_failures else ""


def _drift(comparison: Drift, session: Session) -> str:
    """What differs from the baselines.

    A value is new only where the model has a baseline at all: the first run on a model has nothing
    to drift from.
    """
    new = [one for one in comparison.new if one.model in session.with_baseline]
    found = (
        (len(comparison.verdicts), "verdict", "changed"),
        (len(comparison.drifted), "value", "drifted"),
        (len(comparison.missing), "value", "missing"),
        (0 if session.allow_new else len(new), "value", "new to the baseline"),
    )
    return ", ".join(f"{count(many, noun)} {what}" for many, noun, what in found if many)
