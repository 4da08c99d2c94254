"""What this process writes into the run."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from interp.errors import DataError, InterpError
from interp.plugin.cases import Spec
from interp.plugin.failing import FailedContracts
from interp.plugin.memory import peak
from interp.plugin.repeats import Repeats
from interp.plugin.setting import Setting
from interp.reports.journal import Journal, replace_file, unwritable
from interp.reports.manifest import Asked, without_secrets, write_manifest
from interp.reports.record import Case, End
from interp.reports.values import Identity, Reading, Scalar, Value

VALUES = pytest.StashKey[list[Value]]()


@dataclass(frozen=True)
class Live:
    """The model that is loaded in this process, and what the process then held in memory."""

    id: str
    identity: Identity
    seconds: float
    memory: int = 0  # bytes


class Recorder:
    """The journal of this process, as the hooks write it, and the model that is loaded."""

    def __init__(self, setting: Setting, writer: str, *, one_worker_a_model: bool) -> None:
        self.setting = setting
        self.writer = writer
        self.live: Live | None = None
        self.deselected = 0  # specs that were collected here and not chosen
        self.broken: InterpError | None = None
        self.open_journal: Callable[[Path, str], Journal] = Journal
        self._journal: Journal | None = None
        inherits = one_worker_a_model or setting.resumed is not None
        self.failed = FailedContracts(setting.run, inherits=inherits)
        self._repeats = Repeats()
        self._running: Case | None = None

    def open(self, specs: Sequence[Spec]) -> None:
        """Create the folder of the run, with its manifest, what is planned, and our journal.

        Raises:
            DataError: the folder cannot be written to.
        """
        run = self.setting.run
        planned = json.dumps([asdict(spec.case) for spec in specs]).encode()
        resumed = self.setting.resumed
        try:
            if not (run / "manifest.json").exists():
                self._write_manifest()
            if resumed is None or not resumed.planned:
                replace_file(run / "collection.json", planned)
            self._journal = self.open_journal(run, self.writer)
            if resumed is not None:
                self._journal.write("resume", {"argv": without_secrets(self.setting.argv)})
        except OSError as error:
            self.broken = unwritable(error, run)
        except DataError as error:
            self.broken = error
        if self.broken is not None:
            raise self.broken

    def start(self, case: Case) -> None:
        """Write down that a case starts; on a model that is new here, learn what failed on it."""
        self.failed.turn_to(case.model)
        self._repeats.next_test()
        self._running = case
        self._note("test_start", asdict(case))

    def end(self, end: End) -> None:
        """Write down how a case ended, and remember a contract that did not hold."""
        self.failed.add(end)
        self._running = None
        row = {key: value for key, value in asdict(end).items() if key != "case"}
        self._note("test_end", {**asdict(end.case), **row}, safe=True)

    def teardown_error(self, case: Case, reason: str) -> None:
        """Write down that a case ended badly after its verdict was in."""
        self._note("teardown_error", {**asdict(case), "reason": reason}, safe=True)

    def loaded(self, live: Live) -> None:
        """Write down that a model was loaded.

        Raises:
            DataError: the run that is resumed had another one under this id; nothing more is
                written.
        """
        if self.setting.resumed is not None:
            try:
                self.setting.resumed.check_loaded(live.id, live.identity)
            except DataError as error:
                self.close(interrupted=True)
                self.broken = error
                raise
        self.live = live
        self._note("model_load", asdict(live) | {"model": live.id})

    def freed(self, model: str, held_by: Sequence[str]) -> None:
        """Write down that a model was given back, and what still holds it."""
        self.live = None
        known = {"model": model, "held_by": list(held_by), "peak": peak()}
        self._note("model_free", known)

    def value(self, item: pytest.Item, value: Value, reading: Reading) -> None:
        """Write down one measured value, its items first.

        Raises:
            DataError: it could not be written.
            RequestError: the same was measured before.
        """
        self._repeats.refuse(value)
        if self._journal is None:
            raise self.broken or DataError("there is no journal to write to")
        row = asdict(value)
        if reading.items is not None:
            row["items"] = self._journal.keep_items(reading.items)
        self._journal.write("value", row)
        item.stash.setdefault(VALUES, []).append(Value(**row))

    def chart(self, fields: Mapping[str, object]) -> None:
        """Write down one chart.

        Raises:
            DataError: it could not be written.
        """
        if self._journal is None:
            raise self.broken or DataError("there is no journal to write to")
        self._journal.write("chart", fields)

    def close(self, *, interrupted: bool = False) -> None:
        """Close the journal, if it is open; a case that was `interrupted` did not crash."""
        if interrupted and self._running is not None:
            self._note("test_stop", asdict(self._running), safe=True)
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _write_manifest(self) -> None:
        setting = self.setting
        write_manifest(
            setting.run,
            root=setting.root,
            argv=setting.argv,
            models=[one.spec for one in setting.selection.chosen],
            profile=setting.options.profile,
            asked=asked_of(self.setting, self.deselected),
        )

    def _note(self, kind: str, fields: Mapping[str, object], *, safe: bool = False) -> None:
        """Write a line from a place that must not raise; a failure is kept in `broken`."""
        if self._journal is None:
            return
        try:
            self._journal.write(kind, fields)
            if safe:
                self._journal.sync()
        except InterpError as error:
            self.broken = self.broken or error


RECORDER = pytest.StashKey[Recorder]()


def asked_of(setting: Setting, deselected: int) -> Asked:
    """What the manifest says of the session, beside its models and its profile."""
    options = setting.options
    return Asked(options.vary, options.gate, deselected, setting.paths)


def labels_of(spec: Spec, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The parameters of the case and what the call adds to them."""
    return {**spec.labels, **given}
