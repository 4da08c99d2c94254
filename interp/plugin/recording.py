"""What this process writes into the run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

import pytest

from interp.errors import DataError, InterpError, RequestError
from interp.plugin.cases import Spec
from interp.plugin.setting import Setting
from interp.reports.journal import Journal, replace_file, unwritable
from interp.reports.manifest import write_manifest
from interp.reports.record import Case, End, failed_contracts, read_run
from interp.reports.values import Identity, Reading, Scalar, Value

Key = tuple[str | None, str, int, str]
VALUES = pytest.StashKey[list[Value]]()


@dataclass(frozen=True)
class Live:
    """The model that is loaded in this process, and what the process then held in memory."""

    id: str
    identity: Identity
    seconds: float
    memory: int = 0  # bytes


class Recorder:
    """The journal of this process, the model it has loaded, and the contracts it saw fail."""

    def __init__(self, setting: Setting, writer: str, *, one_worker_a_model: bool) -> None:
        self.setting = setting
        self.writer = writer
        self.one_worker_a_model = one_worker_a_model
        self.live: Live | None = None
        self.broken: InterpError | None = None
        self._journal: Journal | None = None
        self._failed: dict[str, list[Case]] = {}
        self._model: str | None = None
        self._measured: dict[Key, str] = {}  # by which test
        self._now: set[Key] = set()  # by the test that is running

    def open(self, specs: Sequence[Spec]) -> None:
        """Create the folder of the run, with its manifest, what is planned, and our journal.

        Raises:
            DataError: the folder cannot be written to.
        """
        run = self.setting.run
        planned = json.dumps([asdict(spec.case) for spec in specs]).encode()
        try:
            if not (run / "manifest.json").exists():
                self._write_manifest()
            replace_file(run / "collection.json", planned)
            self._journal = Journal(run, self.writer)
        except OSError as error:
            self.broken = unwritable(error, run)
        except DataError as error:
            self.broken = error
        if self.broken is not None:
            raise self.broken

    def start(self, case: Case) -> None:
        """Write down that a case starts; on a model that is new here, learn what failed on it."""
        if case.model != self._model:
            self._model = case.model
            self._inherit(case.model)
        self._now.clear()
        self._note("test_start", asdict(case))

    def end(self, end: End) -> None:
        """Write down how a case ended, and remember a contract that did not hold."""
        if end.case.role == "contract" and end.verdict == "fails" and end.case.model is not None:
            self._failed.setdefault(end.case.model, []).append(end.case)
        row = {key: value for key, value in asdict(end).items() if key != "case"}
        self._note("test_end", {**asdict(end.case), **row}, safe=True)

    def teardown_error(self, case: Case, reason: str) -> None:
        """Write down that a case ended badly after its verdict was in."""
        self._note("teardown_error", {**asdict(case), "reason": reason}, safe=True)

    def loaded(self, live: Live) -> None:
        """Write down that a model was loaded; the contracts it failed elsewhere count here too."""
        self.live = live
        self._note("model_load", asdict(live) | {"model": live.id})

    def freed(self, model: str, held_by: Sequence[str]) -> None:
        """Write down that a model was given back, and what still holds it."""
        self.live = None
        self._note("model_free", {"model": model, "held_by": list(held_by)})

    def value(self, item: pytest.Item, value: Value, reading: Reading) -> None:
        """Write down one measured value, its items first.

        Raises:
            DataError: it could not be written.
            RequestError: the same was measured before.
        """
        self._refuse_again(value)
        if self._journal is None:
            raise self.broken or DataError("there is no journal to write to")
        row = asdict(value)
        if reading.items is not None:
            row["items"] = self._journal.keep_items(reading.items)
        self._journal.write("value", row)
        item.stash.setdefault(VALUES, []).append(Value(**row))
        item.user_properties.extend(_properties(value))

    def failed_on(self, model: str) -> list[Case]:
        """The contracts that failed on this model."""
        return self._failed.get(model, [])

    def close(self) -> None:
        """Close the journal, if one was opened."""
        if self._journal is not None:
            self._journal.close()

    def _refuse_again(self, value: Value) -> None:
        """Two values that nothing tells apart could not be compared with those of another run."""
        key = (value.model_id, value.spec_id, value.spec_version, value.name)
        if (before := self._measured.setdefault(key, value.nodeid)) != value.nodeid or (
            key in self._now
        ):
            raise RequestError(
                "this finding has measured the same before",
                asked=f"measured({value.metric!r})",
                expected="another name or other labels",
                received=value.name,
                where=before,
                hint="say what is different, e.g. measured(..., layer=layer)",
            )
        self._now.add(key)

    def _inherit(self, model: str | None) -> None:
        """Learn which contracts of this model failed in, or killed, the worker before this one."""
        if model is None or not self.one_worker_a_model:
            return
        with suppress(InterpError):
            record = read_run(self.setting.run)
            # Of this model only: what is open on another is running in another worker.
            self._failed[model] = failed_contracts(record.ends, record.crashed).get(model, [])

    def _write_manifest(self) -> None:
        setting = self.setting
        write_manifest(
            setting.run,
            root=setting.root,
            argv=setting.argv,
            models=[one.spec for one in setting.selection.chosen],
            profile=setting.options.profile,
            vary=setting.options.vary,
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


def _properties(value: Value) -> Iterator[tuple[str, object]]:
    """A value as properties of the test, which `--junitxml` writes."""
    yield f"interp.{value.name}", value.value
    for part in ("low", "high", "n"):
        if (number := getattr(value, part)) is not None:
            yield f"interp.{value.name}.{part}", number


def labels_of(spec: Spec, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The parameters of the case and what the call adds to them."""
    return {**spec.labels, **given}
