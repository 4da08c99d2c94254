"""What the terminal shows: what will run, each model as it starts, and what was measured."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, Final

import pytest

from interp.plugin.cases import spec_of
from interp.plugin.closing import Closed, close, journal_of
from interp.plugin.pace import Pace, durations
from interp.plugin.reported import Reported, reported
from interp.plugin.selection import ON_TORCH
from interp.plugin.setting import SETTING
from interp.reports.compare import Comparison
from interp.reports.diff_text import against
from interp.reports.exit_status import NOTHING_COLLECTED, Session
from interp.reports.record import Case, RunRecord
from interp.reports.summary import one_line_each, tables
from interp.reports.text import count, plain, seconds, size

STATUS: Final = {
    "accepted": ("accepted", "a", ("ACCEPTED", {"yellow": True})),
    "inconclusive": ("inconclusive", "?", ("INCONCLUSIVE", {"yellow": True})),
    "invalid": ("invalid", "!", ("INVALID", {"red": True})),
}
Status = tuple[str, str, str | tuple[str, dict[str, bool]]]
MOST_NAMED: Final = 3
WORD: Final = re.compile(r"[\w.-]+")
NOT: Final = re.compile(r"\bnot +[\w.-]+")


@dataclass
class Tally:
    """What the controller counts itself, because no journal tells it."""

    dead_workers: int = 0
    other_failures: int = 0


class Terminal:
    """The hooks of the process that has the terminal."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._setting = config.stash[SETTING]
        self._cases: dict[str, Case] = {}
        self._pace = Pace((), {})
        self._announced: set[tuple[str | None, float]] = set()
        self._tally = Tally()
        self._closed: Closed | None = None

    def pytest_report_collectionfinish(self, items: Sequence[pytest.Item]) -> list[str]:
        """The header, without workers."""
        return list(self._header([spec.case for item in items if (spec := spec_of(item))], 1))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """The header, with workers: when the first of them has written down what it collected."""
        planned = self._setting.run / "collection.json"
        if self._cases or not planned.is_file():
            return
        rows = json.loads(planned.read_text(encoding="utf-8"))
        resumed = self._setting.resumed
        cases = [Case(**row) for row in rows if not resumed or row["nodeid"] not in resumed.over]
        workers = len(self._config.getoption("tx") or [1])
        for line in self._header(cases, workers):
            self._write(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep count; name a model when it has been loaded."""
        ours = reported(report)
        if report.when not in {"setup", "call", "teardown"}:  # xdist's word for a worker that died
            self._tally.dead_workers += 1
        elif ours is None:
            self._tally.other_failures += report.failed and report.nodeid not in self._cases
        elif ours.verdict:
            self._pace.done(report.nodeid, ours.seconds)
        elif ours.load is not None and (ours.model, ours.load) not in self._announced:
            self._announced.add((ours.model, ours.load))
            self._announce(ours, report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Status | None:
        """The verdicts that pytest has no letter for, and the first value beside a pass."""
        ours = reported(report)
        if ours is None or not ours.verdict:
            return None
        kind = "accepted" if ours.accepted else ours.verdict
        if kind == "holds" and ours.first:
            return ("passed", ".", (f"PASSED {plain(ours.first)}", {"green": True}))
        return STATUS.get(kind)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Read the journals of all workers, set the exit status by them, write the reports."""
        record = journal_of(self._setting)
        if record is None and not self._setting.ours:
            return
        tally, gate = self._tally, self._setting.options.gate
        if self._setting.resumed is not None and exitstatus == NOTHING_COLLECTED:
            exitstatus = 0  # nothing was left to do
        known = Session(int(exitstatus), gate, tally.dead_workers, tally.other_failures)
        if record is None and (self._config.option.collectonly or not gate):
            return
        self._closed = close(self._setting, record, known)
        session.exitstatus = self._closed.outcome.status

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The tables, what moved, where the reports are, what to do next, and the exit status."""
        closed = self._closed
        if closed is None:
            return
        quiet = self._config.get_verbosity() < 0
        if not quiet:
            terminalreporter.section("findings", sep="-")
        width = terminalreporter._tw.fullwidth - 1  # noqa: SLF001  there is no public way to ask
        lines = one_line_each(closed.record) if closed.record and quiet else ()
        if closed.record and not quiet:
            lines = self._told(closed, closed.record, width)
        for line in (*lines, *closed.problems, *closed.commands):
            terminalreporter.write_line(line)
        colour = {"green": True} if closed.outcome.status == 0 else {"red": True}
        said = f"exit {closed.outcome.status}: {closed.outcome.meaning}"
        terminalreporter.write_line(said, **colour)

    def _told(self, closed: Closed, record: RunRecord, width: int) -> Iterator[str]:
        yield from (*tables(record, width), *_scaled(record, width))
        if closed.comparison is not None:
            yield from against(closed.comparison, width)
        if record.torn:
            yield f"{count(record.torn, 'line')} of the journal cut short and left out"
        yield f"run:  {_short(closed.page or self._setting.run, self._config)}"
        yield f"next: {next_command(record, closed.comparison)}"

    def _header(self, cases: Sequence[Case], workers: int) -> Iterator[str]:
        if not cases and self._meant():
            yield f"interp: no spec on a model that is here{self._absent()}"
        if not cases or self._cases:
            return
        self._cases = {case.nodeid: case for case in cases}
        self._pace = Pace(cases, durations(self._setting.options.reports_dir), workers)
        if self._config.get_verbosity() < 0:
            return
        models = _named(list(dict.fromkeys(case.model for case in cases if case.model)))
        yield f"interp: {count(len(cases), 'spec')} on {models or 'no model'}{self._absent()}"
        if not self._config.option.collectonly:
            about = _about(self._pace.left())
            yield f"interp: run {_short(self._setting.run, self._config)}{about}"

    def _absent(self) -> str:
        absent = self._setting.selection.absent
        left = [one.spec.id for one in absent if one.needs_another]
        away = self._meant() or [one.spec.id for one in absent if not one.needs_another]
        elsewhere = f"; only with {ON_TORCH}: {_named(left)}" if left else ""
        return (f"; not here: {_named(away)} (interp fetch ID)" if away else "") + elsewhere

    def _meant(self) -> list[str]:
        """The models that are not here and that a word of `-k` is part of."""
        words = WORD.findall(NOT.sub("", self._config.option.keyword.lower()))
        away = [one.spec.id for one in self._setting.selection.absent if not one.needs_another]
        chosen = [word for word in words if word not in {"and", "or"}]
        return [one for one in away if any(word in one.lower() for word in chosen)]

    def _announce(self, ours: Reported, report: pytest.TestReport) -> None:
        if self._config.get_verbosity() < 0:
            return
        specs = sum(case.model == ours.model for case in self._cases.values())
        loaded = f"loaded in {seconds(ours.load or 0.0)}, {size(ours.memory)} in memory"
        about = _about(self._pace.left(), " left")
        self._between(f"-- {plain(ours.model)}: {loaded}, {count(specs, 'spec')}{about} --", report)

    def _write(self, line: str) -> None:
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)

    def _between(self, line: str, report: pytest.TestReport) -> None:
        """Write a line in the middle of pytest's own, which then names the file again."""
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or hasattr(report, "node"):  # a worker's report: pytest names no file
            self._write(line)
            return
        reporter.ensure_newline()
        reporter.write(line)
        reporter.currentfspath = None
        if reporter.showfspath and not reporter.showlongtestinfo:
            reporter.write_fspath_result(report.nodeid, "")


def next_command(record: RunRecord, comparison: Comparison | None = None) -> str:
    """One command that is worth giving after this run."""
    for end in record.ends:
        if end.verdict in {"fails", "error"} and not end.accepted:
            return f"pytest {quote(plain(end.case.nodeid))}"
    if record.not_run:
        found_by_name = record.folder.parent.name == "runs"
        return (
            f"pytest --resume {quote(record.folder.name if found_by_name else str(record.folder))}"
        )
    if record.crashed:
        return f"pytest {quote(plain(record.crashed[0].nodeid))}"
    if comparison is not None and any(
        (comparison.drifted, comparison.missing, comparison.verdicts)
    ):
        return "interp diff"
    if comparison is not None and comparison.new:
        return "interp accept --dry-run"
    full = record.manifest.get("profile") == "full"
    return "interp models" if full else "pytest --profile full"


def _about(left: float | None, more: str = "") -> str:
    return f", about {seconds(left)}{more}" if left and left >= 1 else ""


def _named(models: Sequence[str]) -> str:
    more = f" and {len(models) - MOST_NAMED} more" if len(models) > MOST_NAMED else ""
    return plain(", ".join(models[:MOST_NAMED]) + more)


def _short(where: Path | str, config: pytest.Config) -> str:
    path = Path(where)
    return str(path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path)


def _scaled(record: RunRecord, width: int) -> Iterable[str]:
    from interp.reports.scaling import lines_of, scales_of  # noqa: PLC0415  only at the end of a run

    return lines_of(scales_of([record], {}), width)
