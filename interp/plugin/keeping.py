"""The folder of a run while a session has it: claimed, named the latest, closed at the end."""

from contextlib import suppress
from dataclasses import asdict

import pytest

from interp.errors import InterpError
from interp.plugin.claiming import claim
from interp.plugin.recording import RECORDER
from interp.plugin.resuming import noted_specs
from interp.plugin.setting import SETTING, is_worker
from interp.plugin.watched import KEPT
from interp.reports.folders import set_latest
from interp.reports.journal import Journal, unwritable
from interp.reports.record import read_run


class Keeping:
    """The hooks of every process of a session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._setting = config.stash[SETTING]
        self._running: set[str] = set()  # in workers

    def pytest_report_header(self) -> str | None:
        """What a session goes on with."""
        resumed = self._setting.resumed
        return None if resumed is None else f"interp: {resumed.in_words()}"

    def pytest_collection_finish(self) -> None:
        """Without workers: the journal is open now, so the run is there to be found."""
        if not is_worker(self._config):
            self._take()

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """With workers: the first of them has opened its journal, and nothing has started."""
        setting = self._setting
        if setting.resumed is not None:
            setting.resumed.check_specs(noted_specs(setting.run))
        self._take()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A case has started, here or in a worker."""
        self._running.add(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A case is over, or has crashed: xdist's word for that is no phase of a test."""
        if report.when not in {"setup", "call"}:
            self._running.discard(report.nodeid)

    def pytest_keyboard_interrupt(self) -> None:
        """What runs was stopped by a person, and has not crashed.

        A worker is also interrupted when its controller was killed; there it has.
        """
        if is_worker(self._config):
            return
        self._config.stash[RECORDER].close(interrupted=True)
        with suppress(InterpError):
            self._stop_workers()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Nothing more is measured: whoever reads the run from here on sees that it has ended."""
        self._config.stash[RECORDER].close()
        if not is_worker(self._config):
            with suppress(OSError):  # parts of sweeps are there if a case did not come to its end
                (self._setting.run / KEPT).rmdir()

    def _stop_workers(self) -> None:
        """Write down for the workers which of their cases were stopped."""
        run = self._setting.run
        if not self._running or not (run / "collection.json").is_file():
            return
        record = read_run(run)
        began = [
            case for case in (*record.running, *record.crashed) if case.nodeid in self._running
        ]
        if began:
            journal = Journal(run, "main")
            for case in began:
                journal.write("test_stop", asdict(case))
            journal.close()

    def _take(self) -> None:
        setting = self._setting
        if not (setting.run / "collection.json").is_file() or self._config.option.collectonly:
            return
        claim(self._config, setting.run)
        try:
            set_latest(setting.options.reports_dir, setting.run)
        except OSError as error:
            raise pytest.UsageError(str(unwritable(error, setting.run.parent))) from None
