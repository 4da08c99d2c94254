"""One spec at a time: what keeps it from running, its verdict, and its lines in the journal."""

from collections.abc import Generator
from typing import Any, Final

import pytest

from interp.errors import DataError, InconclusiveError, RequestError
from interp.plugin.cases import Spec, spec_of
from interp.plugin.collecting import NO_MODEL
from interp.plugin.harmless import make_harmless
from interp.plugin.junit import properties
from interp.plugin.recording import RECORDER, VALUES
from interp.plugin.redacting import REDACTOR
from interp.plugin.reported import attach
from interp.plugin.setting import SETTING
from interp.plugin.watched import forget, sweeps_of, uses_of
from interp.reports.baselines import Baseline
from interp.reports.noise import drowned, find_noise
from interp.reports.record import End, because_of
from interp.reports.summary import word_for
from interp.reports.text import plain
from interp.reports.values import Value
from interp.reports.verdicts import Verdict, find_accepted, verdict_of

DEPENDENT: Final = ("calibration", "finding")
SET_UP = pytest.StashKey[float]()
MISSING = pytest.StashKey[set[str]]()
MOST_DETAIL: Final = 4000  # characters


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Journal the start of a spec; stop the session when nothing can be written down any more."""
    spec = spec_of(item)
    recorder = item.config.stash[RECORDER]
    if spec is not None:
        recorder.start(spec.case)
    result = yield
    if spec is not None and recorder.broken is not None:
        item.session.shouldfail = str(recorder.broken).splitlines()[0]
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a spec that cannot be recorded, has no model, or rests on a contract that failed."""
    __tracebackhide__ = True
    spec = spec_of(item)
    if spec is None:
        return
    recorder = item.config.stash[RECORDER]
    if (problem := recorder.broken or spec.problem) is not None:
        raise problem
    _refuse_missing(item, spec)
    if reason := _invalid(item, spec):
        pytest.skip(f"invalid: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Refuse a finding that ends well without having measured anything."""
    __tracebackhide__ = True
    result = yield
    spec = spec_of(item)
    if spec is not None and spec.case.role == "finding" and not _values(item):
        pytest.fail(_nothing_measured(spec), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the outcome into a verdict, journal it, and leave both on the report."""
    report = yield
    spec = spec_of(item)
    if spec is None:
        return report
    recorder, redactor = item.config.stash[RECORDER], item.config.stash[REDACTOR]
    if redactor is not None:
        redactor.report(report, _first_line(call))
    make_harmless(report)
    if report.when == "teardown":
        if report.failed:
            recorder.teardown_error(spec.case, _said(item, call))
    elif report.when == "call" or not report.passed:
        end = _end(item, spec, report, call)
        recorder.end(end)
        forget(item)
        if item.config.stash[SETTING].options.junit != "none":
            accepted = _baseline(item, spec).values
            item.user_properties.extend(properties(_values(item), end, accepted))
        _as_pytest_sees_it(report, end, item)
        attach(report, spec.case, end, _values(item))
    else:
        item.stash[SET_UP] = report.duration
        attach(report, spec.case, live=recorder.live)
    return report


def _refuse_missing(item: pytest.Item, spec: Spec) -> None:
    """A required model that is not here: an error for its first spec, a skip for the others."""
    __tracebackhide__ = True
    setting = item.config.stash[SETTING]
    reasons = {one.spec.id: one.reason for one in setting.selection.chosen if not one.here.present}
    model = spec.case.model
    if not setting.options.require_models or (model not in reasons and model != NO_MODEL):
        return
    told = item.config.stash.setdefault(MISSING, set())
    if model in told:
        pytest.skip(f"model {model!r} is missing, as its first spec says")
    told.add(model)
    raise DataError(
        "a model that this session requires is not here",
        asked="--gate" if setting.options.gate else "--require-models",
        received=reasons.get(model, "no model at all"),
        hint="fetch it, name others with --model, or leave the option away",
    )


def _invalid(item: pytest.Item, spec: Spec) -> str:
    """Why this spec is invalid, from what its runs have used so far; empty if it is not."""
    if spec.case.role not in DEPENDENT:
        return ""
    failed = item.config.stash[RECORDER].failed.on(spec.case.model or "")
    return because_of(failed, uses_of(item)) if failed else ""


def _values(item: pytest.Item) -> list[Value]:
    return item.stash.setdefault(VALUES, [])


def _baseline(item: pytest.Item, spec: Spec) -> Baseline:
    """What was accepted for the model of a spec."""
    known = item.config.stash[SETTING].baselines
    return known.get(spec.case.model or "", Baseline())


def _nothing_measured(spec: Spec) -> str:
    return str(
        RequestError(
            "nothing was measured",
            asked=f"finding({spec.case.spec_id!r})",
            expected="a finding asserts only on what it measured",
            hint='call measured("name", value) on what the assertion is about',
        )
    )


def _end(
    item: pytest.Item, spec: Spec, report: pytest.TestReport, call: pytest.CallInfo[None]
) -> End:
    case, values = spec.case, _values(item)
    verdict, reason = _verdict(item, spec, report, call)
    if verdict in {"holds", "fails"} and (why := _drowned(item, spec)):
        verdict, reason = "inconclusive", why
    took = call.duration + item.stash.get(SET_UP, 0.0)
    accepted = find_accepted(
        _baseline(item, spec).verdicts, case.spec_id, case.spec_version, case.params
    )
    known = accepted is not None and verdict == accepted.verdict != "holds"
    if accepted and known and case.role == "finding" and (values or verdict == "inconclusive"):
        uses, sweeps = uses_of(item), sweeps_of(item)
        return End(case, verdict, True, accepted.reason or reason, took, uses, sweeps=sweeps)
    detail = _detail(report) if verdict in {"fails", "error"} else ""
    return End(case, verdict, False, reason, took, uses_of(item), detail, sweeps_of(item))


def _verdict(
    item: pytest.Item, spec: Spec, report: pytest.TestReport, call: pytest.CallInfo[None]
) -> tuple[Verdict, str]:
    """What the outcome of a phase says, and why where it does not hold."""
    if reason := _invalid(item, spec):
        return "invalid", reason
    error = call.excinfo.value if call.excinfo else None
    if report.skipped and not hasattr(report, "wasxfail"):
        return "skipped", plain(getattr(error, "msg", error))
    measured = spec.case.role != "finding" or bool(_values(item))
    verdict = verdict_of(error, measured=measured and call.when == "call")
    if verdict == "error" and spec.case.role == "contract" and call.when == "call":
        verdict = "fails"  # an instrument that stops working has failed
    return verdict, _said(item, call) if error else ""


def _drowned(item: pytest.Item, spec: Spec) -> str:
    """Why a finding says nothing: the first of its values that is lost in its noise."""
    known, values = item.config.stash[SETTING].noise, _values(item)
    if spec.case.role != "finding":
        return ""
    whys = (drowned(value, find_noise(known, value, spec.case.params)) for value in values)
    return next(filter(None, whys), "")


def _detail(report: pytest.TestReport) -> str:
    """The end of what pytest says about a failure, and of what was captured."""
    parts = [report.longreprtext, *(f"{name}\n{text}" for name, text in report.sections)]
    return "\n\n".join(part[-MOST_DETAIL // len(parts) :] for part in parts)


def _as_pytest_sees_it(report: pytest.TestReport, end: End, item: pytest.Item) -> None:
    """What is neither a pass nor a failure is to pytest, and to JUnit, a skip with its reason."""
    if not end.accepted and end.verdict not in {"inconclusive", "invalid"}:
        return
    path, line, _ = item.location
    report.outcome = "skipped"
    report.longrepr = (path, line or 0, f"{word_for(end)}: {end.reason}")


def _said(item: pytest.Item, call: pytest.CallInfo[None]) -> str:
    """The exception in one line, as it may be kept."""
    redactor = item.config.stash[REDACTOR]
    return redactor.message(_first_line(call)) if redactor else _first_line(call)


def _first_line(call: pytest.CallInfo[None]) -> str:
    """The exception in one line, with the name of its class where it is not a claim's own."""
    if call.excinfo is None:
        return ""
    error = call.excinfo.value
    text = plain(str(error).strip().split("\n", 1)[0])
    if isinstance(error, (AssertionError, InconclusiveError)):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
