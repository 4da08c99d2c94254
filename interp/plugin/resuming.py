"""`--resume RUN`: going on with a run that was cut short, if everything is as it was.

What a number depends on and can be known without loading a model is compared before anything
starts; what a loaded model says of itself, when it is loaded.
"""

import json
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from interp.errors import DataError
from interp.plugin.options import Options
from interp.registry import ModelSpec
from interp.reports.journal import replace_file
from interp.reports.lines import read_folder
from interp.reports.manifest import versions
from interp.reports.record import RunRecord, read_run
from interp.reports.text import count
from interp.reports.values import Identity

PATIENCE: Final = 15.0  # seconds that the workers of a dead session may take to notice
OF_NO_NUMBER: Final = frozenset({"pytest", "python", "xdist"})
OF_SPEC: Final = ("revision", "backend", "dtype", "attn_implementation")
OF_LOADED: Final = (
    "revision", "weights_digest", "dtype", "quantization", "backend", "attn_implementation",
    "device",
)  # fmt: skip
COLLECTED: Final = ".collected.json"
SpecNow = tuple[str, int, str | None]  # id, version, hash of the code


@dataclass(frozen=True)
class Difference:
    """Something that a number depends on, and is not as it was."""

    what: str
    was: str
    now: str


@dataclass(frozen=True)
class Resumed:
    """A run that is gone on with: what was planned, what is over, and what it was measured on."""

    name: str
    planned: frozenset[str]  # node ids; empty where the run did not come to plan
    over: frozenset[str]
    crashed: int
    retries: bool
    specs: Mapping[str, SpecNow]  # of the cases that are over
    identities: Mapping[str, Identity]  # by model

    def leaves_out(self, nodeid: str) -> bool:
        """Whether a case does not run again, or was not part of the run."""
        return nodeid in self.over or bool(self.planned and nodeid not in self.planned)

    def in_words(self) -> str:
        """The state of the run, for the header."""
        done = f"{len(self.over)} of {count(len(self.planned), 'spec')} are over"
        crashed = f", {self.crashed} of them crashed" if self.crashed else ""
        if self.retries and self.crashed:
            crashed = f", {self.crashed} that crashed will run again"
        elif self.crashed:
            crashed += " (--retry-crashed runs them again)"
        return f"resumes {self.name}: {done}{crashed}"

    def check_specs(self, now: Mapping[str, Sequence[Any]]) -> None:
        """Compare the specs that are here now with those that are over.

        Raises:
            pytest.UsageError: one of them is another than it was.
        """
        _refuse(self.name, self._other_specs(now))

    def check_loaded(self, model: str, identity: Identity) -> None:
        """Compare a model that was just loaded with what it was.

        Raises:
            DataError: it is another.
        """
        known = self.identities.get(model)
        found = [] if known is None else _differences(model, known, identity, OF_LOADED)
        if found := list(found):
            raise _refused(self.name, found)

    def _other_specs(self, now: Mapping[str, Sequence[Any]]) -> Iterator[Difference]:
        for nodeid in [nodeid for nodeid in now if nodeid in self.specs]:
            spec_id, version, code = now[nodeid]
            old_id, old_version, old_code = self.specs[nodeid]
            if (spec_id, version) != (old_id, old_version):
                yield Difference(
                    nodeid, f"{old_id} version {old_version}", f"{spec_id} version {version}"
                )
            elif code and old_code and code != old_code:
                yield Difference(f"{nodeid}, its code", old_code[:12], code[:12])


def resume(run: Path, options: Options, models: Iterable[ModelSpec]) -> Resumed:
    """The state of a run that nobody writes to any more.

    Raises:
        pytest.UsageError: somebody does, or something is not as it was.
    """
    try:
        _wait_for_writers(run)
        record = read_run(run)
    except DataError:
        if not (run / "manifest.json").is_file():
            raise
        record = RunRecord(run, _manifest(run), (), (), (), (), (), 0)  # killed before it began
    _refuse(run.name, _around(record, options, models))
    codes = {value.nodeid: value.spec_hash for value in record.values}
    ended = [end.case for end in record.ends if end.verdict != "skipped"]
    over = [*ended, *(() if options.retry_crashed else record.crashed)]
    return Resumed(
        run.name,
        frozenset(case.nodeid for case in record.planned),
        frozenset(case.nodeid for case in over),
        len(record.crashed),
        options.retry_crashed,
        {one.nodeid: (one.spec_id, one.spec_version, codes.get(one.nodeid)) for one in over},
        {load.model: load.identity for load in record.loads},
    )


def note_specs(run: Path, specs: Mapping[str, SpecNow]) -> None:
    """In a worker: write down which specs are here now, for the controller to check."""
    replace_file(run / COLLECTED, json.dumps(specs).encode())


def noted_specs(run: Path) -> dict[str, list[Any]]:
    """In the controller: what a worker wrote down."""
    try:
        found = json.loads((run / COLLECTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refuse(name: str, differences: Iterable[Difference]) -> None:
    if found := list(differences):
        raise pytest.UsageError(str(_refused(name, found)))


def _refused(name: str, found: Sequence[Difference]) -> DataError:
    return DataError(
        "what its numbers depend on is not as it was",
        asked=f"--resume {name}",
        expected="; ".join(f"{one.what}: {one.was}" for one in found),
        received="; ".join(f"{one.what}: {one.now}" for one in found),
        hint="start a new run, without --resume",
    )


def _wait_for_writers(run: Path) -> None:
    """Workers whose controller was killed notice it within seconds."""
    deadline = time.monotonic() + PATIENCE
    while alive := read_folder(run).alive:
        if time.monotonic() > deadline:
            raise pytest.UsageError(
                f"--resume {run.name}: {', '.join(sorted(alive))} is still writing to this run"
            )
        time.sleep(0.1)


def _around(
    record: RunRecord, options: Options, models: Iterable[ModelSpec]
) -> Iterator[Difference]:
    """What differs and is known without loading anything."""
    was, versions_were = record.manifest, record.manifest.get("versions", {})
    if versions_were:
        now = versions()
        yield from _differences(
            "", versions_were, now, sorted({*versions_were, *now} - OF_NO_NUMBER)
        )
    here = {"profile": options.profile, "vary": options.vary, "machine": platform.machine()}
    yield from _differences("", was, here, [name for name in here if name in was])
    known = {one["id"]: one for one in was.get("models", ())}
    for spec in models:
        if spec.id in known:
            yield from _differences(spec.id, known[spec.id], vars(spec), OF_SPEC)
    yield from _other_weights(record, models)


def _other_weights(record: RunRecord, models: Iterable[ModelSpec]) -> Iterator[Difference]:
    """A folder here whose weights are others than those that were loaded."""
    loaded = {load.model: load.identity for load in record.loads}
    for spec in models:
        was = loaded.get(spec.id, {}).get("weights_digest")
        if was is None or not spec.is_local:
            continue
        from interp.backends.checkpoint import fingerprint, weight_files  # noqa: PLC0415  only here

        try:
            now = fingerprint(weight_files(Path(spec.source)))
        except DataError as error:
            now = error.complaint.rule
        if now != was:
            yield Difference(f"{spec.id} · weights", str(was)[:12], now[:60])


def _differences(
    about: str, was: Mapping[str, Any], now: Mapping[str, Any], names: Iterable[str]
) -> Iterator[Difference]:
    for name in names:
        if was.get(name) != now.get(name):
            what = f"{about} · {name}" if about else name
            yield Difference(what, str(was.get(name)), str(now.get(name)))


def _manifest(run: Path) -> dict[str, Any]:
    try:
        found = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
