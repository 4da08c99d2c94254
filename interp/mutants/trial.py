"""One trial: plant a bug in this process, run the specs, and say which one noticed."""

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Literal

import pytest

from interp.errors import DataError, InterpError
from interp.mutants.planting import Mutant
from interp.mutants.project import Project
from interp.reports.text import plain
from interp.sites import SiteName

Kind = Literal["killed", "survived", "crashed", "timeout"]
QUICK: Final = 0.3  # seconds
UNFIT: Final = "the model is not what it is taken for"  # what the self-check says of a whole model


@dataclass(frozen=True)
class Usual:
    """How the specs go on the untouched code: what each model refuses, and how long each takes."""

    refused: Mapping[str, Mapping[SiteName, str]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    silent: tuple[str, ...] = ()  # skipped, or with too few items for a verdict


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: `by` names what caught the bug, `reason` is its first line.

    A bug that merely crashes is not caught: nobody would have shipped it. `spec` is the one that
    ran then, also where it was the self-check of its model that caught the bug.
    """

    kind: Kind
    by: str = ""
    reason: str = ""
    spec: str = ""
    usual: Usual = field(default_factory=Usual)


class Watcher:
    """A pytest plugin that loads models under watch and remembers the first failure."""

    def __init__(self, usual: Usual | None, likely: str = "") -> None:
        """Remember how the specs go on the untouched code; None to learn it."""
        self._usual = usual
        self._likely = likely
        self.refused: dict[str, Mapping[SiteName, str]] = {}
        self.seconds: dict[str, float] = {}
        self.more_refused = ""
        self.silent: list[str] = []
        self.first: tuple[str, BaseException | None] | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_interp_load_model(self, spec: Any) -> Any:
        """Load the model, and notice what its self-check says."""
        from interp import models  # noqa: PLC0415  where the bug may sit

        model = models.load(spec)
        self.refused[spec.id] = {**model.backend.info.refused}
        known = self._usual.refused if self._usual else self.refused
        for site in self.refused[spec.id].keys() ^ known[spec.id].keys():
            said = self.refused[spec.id].get(site, "no longer refused")
            self.more_refused = f"{site}: {said}"
            pytest.fail(f"{site} is not available as on the untouched model", pytrace=False)
        return model

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Quick specs first, so that a bug is soon caught; each model's specs stay together.

        Those that ask for a kind of model come before those that any model passes, and before
        them all the one that caught this bug the last time.
        """
        yield
        if self._usual is None:
            return
        usual, blocks = self._usual.seconds, dict[tuple[str, bool], int]()
        end = len(items)  # a list is empty while it is sorted

        def place(item: pytest.Item) -> tuple[int, bool, float]:
            if item.nodeid == self._likely:
                return (-1, False, 0.0)
            call, took = getattr(item, "callspec", None), usual.get(item.nodeid, 0.0)
            model = str(call.params["model"]) if call and "model" in call.params else ""
            if not model and took > QUICK:
                return (end, False, took)
            contract = item.get_closest_marker("contract") is not None
            block = blocks.setdefault((model, contract and bool(model)), len(blocks))
            return (block, item.get_closest_marker("on") is None, took)

        items.sort(key=place)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Remember the first failure."""
        report = yield
        self.seconds[item.nodeid] = self.seconds.get(item.nodeid, 0.0) + call.duration
        if report.failed and self.first is None:
            self.first = (item.nodeid, call.excinfo.value if call.excinfo else None)
        if report.skipped:
            self.silent.append(item.nodeid)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A spec that cannot be collected is a crash."""
        if report.failed and self.first is None:
            self.first = (report.nodeid, None)


def attempt(
    project: Project, mutant: Mutant | None, usual: Usual | None, likely: str = ""
) -> Outcome:
    """Run the specs with the bug in force, or without any, up to the first failure."""
    watcher = Watcher(usual, likely)
    name = mutant.name if mutant else "control"
    _alone(project, name)
    _without_shrinking()
    asked = ["-x", "-c", str(project.root / "pytest.ini"), "-p", "no:cacheprovider", "--no-report"]
    asked += ["--reports-dir", str(project.root / "reports" / name), str(project.root / "specs")]
    if mutant:  # what garbage says when a broken session ends is no verdict
        asked += ["--model", ",".join(mutant.on or project.models), "-p", "no:unraisableexception"]
    ours = import_module("interp.plugin")
    with mutant.plant() if mutant else nullcontext():
        status = pytest.main(asked, plugins=[ours, watcher])
    return _judged(watcher, int(status))


def _alone(project: Project, name: str) -> None:
    """Nothing from outside plays a part: no record of an earlier self-check, no options."""
    os.environ["XDG_CACHE_HOME"] = str(project.root / "cache" / name)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_ADDOPTS", None)
    sys.dont_write_bytecode = False  # specs are compiled once, in the control
    log = os.open(project.log_of(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)


def _without_shrinking() -> None:
    """A first counterexample is enough; looking for the smallest takes half a minute."""
    if find_spec("hypothesis") is None:
        return
    hypothesis = import_module("hypothesis")
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", database=None, phases=phases)
    hypothesis.settings.load_profile("mutants")


def _judged(watcher: Watcher, status: int) -> Outcome:
    if watcher.first is None:
        kind: Kind = "crashed" if status else "survived"
        by = f"pytest ended with status {status}" if status else ""
        usual = Usual(watcher.refused, watcher.seconds, tuple(watcher.silent))
        return Outcome(kind, by, usual=usual)
    nodeid, error = watcher.first
    lines = str(error).strip().splitlines() if error else []
    reason = plain(f"{type(error).__name__}: {lines[0] if lines else ''}") if error else ""
    if not isinstance(error, (AssertionError, InterpError, pytest.fail.Exception)):
        return Outcome("crashed", nodeid, reason)
    if isinstance(error, DataError) and error.complaint.rule == UNFIT:
        return Outcome("killed", f"self-check: {plain(error.complaint.received)}", reason, nodeid)
    if watcher.more_refused:
        return Outcome("killed", f"self-check: {watcher.more_refused}", reason, nodeid)
    return Outcome("killed", nodeid, reason, nodeid)
