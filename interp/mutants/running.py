"""Trials side by side, each in a process of its own that starts with everything imported."""

import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from typing import Any

from interp.mutants.catalogue import catalogue
from interp.mutants.project import Project
from interp.mutants.trial import Outcome, Usual, attempt
from interp.reports.text import plain

LIMIT = 120.0  # seconds; a bug is caught in a fraction of it
CONTROL_LIMIT = 900.0  # every spec on every twin, with nothing to stop at
HEAVY = (
    "hypothesis", "interp.backends.torch", "interp.lens", "interp.patching", "interp.plugin",
    "scipy.stats",
)  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """What every trial shares: the project, more mutants, and how the specs go without a bug.

    `caught` names the spec that caught a bug the last time.
    """

    project: Project
    also: tuple[str, ...] = ()
    usual: Usual | None = None
    caught: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """How the trial of one mutant ended, and how long it took."""

    name: str
    outcome: Outcome
    seconds: float


@dataclass(frozen=True)
class _Child:
    name: str
    process: Any
    answer: Connection
    began: float

    def ended(self) -> Trial:
        """The trial, once the process has answered, died or run out of time; it is gone then."""
        took = time.monotonic() - self.began
        try:
            outcome = self.answer.recv() if self.answer.poll() else Outcome("timeout", "timeout")
        except EOFError:
            outcome = Outcome("crashed", "the process died")
        self.process.kill()
        self.process.join()
        return Trial(self.name, outcome, took)


def prepare() -> None:
    """Import what takes seconds, once, for every child to start with."""
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    for name in filter(find_spec, HEAVY):
        import_module(name)
    gc.freeze()  # what is imported never goes, and pytest collects garbage several times a trial


def trials(
    bench: Bench, names: Sequence[str], *, jobs: int, limit: float = LIMIT
) -> Iterator[Trial]:
    """The trials of these mutants, as they end; an empty name is the code as it is."""
    queue, running = list(names), list[_Child]()
    try:
        while queue or running:
            while queue and len(running) < jobs:
                running.append(_started(bench, queue.pop(0)))
            wait([child.answer for child in running], timeout=0.5)
            for child in list(running):
                if child.answer.poll() or time.monotonic() - child.began > limit:
                    running.remove(child)
                    yield child.ended()
    finally:
        for child in running:
            child.process.kill()


def _started(bench: Bench, name: str) -> _Child:
    """A process that tries one mutant; a copy of this one where that is safe."""
    how: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    ours, theirs = how.Pipe(duplex=False)
    process = how.Process(target=_tried, args=(bench, name, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Child(name, process, ours, time.monotonic())


def _tried(bench: Bench, name: str, answer: Connection) -> None:
    prepare()
    planted = catalogue(bench.also)[name] if name else None
    try:
        likely = bench.caught.get(name, "")
        answer.send(attempt(bench.project, planted, bench.usual, likely))
    except Exception as error:  # noqa: BLE001  whatever a bug does, its trial has an end
        answer.send(Outcome("crashed", "the trial", plain(f"{type(error).__name__}: {error}")))
    answer.close()
