"""From the states of cells to what was to be read of them, a few rows of logits at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from interp.auditing import audit, sample
from interp.edits import Edit
from interp.encoded import Encoded
from interp.grids import Work
from interp.ledger import Entry, entry, report
from interp.models import Model
from interp.planned import Job, States, Tally, states
from interp.planning import Cells
from interp.positions import position
from interp.readers import Reader, in_blocks, unembedded
from interp.runs import Run, run

Ledger = tuple[Entry, ...]


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be read of which cells."""

    model: Model
    encoded: Encoded
    grid: Cells
    variants: Sequence[tuple[Edit, ...]]
    read: Callable[[Any], Shaped[np.ndarray, "batch ..."]]


@dataclass(frozen=True, eq=False)
class Found:
    """What was read: one value a distinct variant and prompt, the ledgers, and what it took."""

    values: Shaped[np.ndarray, "variant batch ..."]
    ledgers: tuple[Ledger, ...]
    work: Work


def one_by_one(task: Task) -> Found:
    """One plain run a variant."""
    values, ledgers = [], []
    for variant in task.variants:
        done = run(task.model, task.encoded.prompts, *variant)
        values.append(task.read(done))
        ledgers.append(done.ledger)
    took, rows = len(task.variants) * task.grid.once, task.grid.width.size
    return Found(np.stack(values), tuple(ledgers), Work(took, took, rows))


def together(task: Task, job: Job) -> Found:
    """All cells as the plan has them, then a sample of them once more through plain hooks.

    Raises:
        DataError: a cell of the sample differs.
        MemoryError: a single row does not fit into memory.
    """
    grid = task.grid
    sampled, chosen = sample(grid.width.shape), list[States]()
    read = task.read
    reading = _Streamed(task, read) if isinstance(read, Reader) else _Whole(task)
    for done in states(job):
        reading.take(done)
        chosen.append(done.only(sampled[done.variant, done.prompt]))
        job.tally.head_rows += len(done.variant)
    worst = audit(task.model, grid, job.ids, chosen)
    found = ledgers(task, job.tally, np.zeros(grid.width.shape, dtype=np.int64))
    for ledger in found:
        report("run", ledger, encoded=task.encoded)
    return Found(reading.values(found), found, work(job, len(grid.writes) * grid.once, worst))


def work(job: Job, plain: int, worst: float) -> Work:
    """What a job took, beside what it would have taken one by one."""
    tally, audited = job.tally, int(sample(job.grid.width.shape).sum())
    return Work(
        tally.layer_tokens, plain, tally.head_rows, audited, worst, job.room.halved, tally.kept
    )


def ledgers(
    task: Task, tally: Tally, passes: Int[np.ndarray, "variant batch"]
) -> tuple[Ledger, ...]:
    """One ledger a variant, with every check that a run's has."""
    accounts = task.grid.accounts
    fired = tally.fired(int(accounts[-1]))
    return tuple(
        tuple(
            entry(task.encoded, edit, dict(writes)[place], fired[first + place], went.tolist())
            for place, edit in enumerate(variant)
        )
        for variant, writes, went, first in zip(
            task.variants, task.grid.writes, passes, accounts[:-1], strict=True
        )
    )


class _Streamed:
    """A reader's values: the logits of a block of rows at a time."""

    def __init__(self, task: Task, read: Reader) -> None:
        """Nothing was read yet."""
        self._task, self._read = task, read
        self._values: np.ndarray | None = None

    def take(self, done: States) -> None:
        """Read these cells."""
        read, task = self._read, self._task
        if not len(done.variant):
            return
        found = in_blocks(task.model, task.encoded, done.prompt, done.hidden, read)
        if self._values is None:
            self._values = np.zeros((*task.grid.width.shape, *found.shape[1:]), found.dtype)
        self._values[done.variant, done.prompt] = found

    def values(self, _ledgers: Sequence[Ledger]) -> np.ndarray:
        """All of them."""
        return np.asarray(self._values)


class _Whole:
    """Any metric's values: all states are kept, but the logits of one variant at a time."""

    def __init__(self, task: Task) -> None:
        """Nothing was read yet."""
        self._task = task
        width = task.model.backend.info.d_model
        self._hidden = np.zeros((*task.grid.width.shape, width), np.float32)

    def take(self, done: States) -> None:
        """Keep these cells."""
        self._hidden[done.variant, done.prompt] = done.hidden

    def values(self, ledgers: Sequence[Ledger]) -> np.ndarray:
        """The metric of every variant, as of a run."""
        return np.stack([self._read(*one) for one in zip(self._hidden, ledgers, strict=True)])

    def _read(self, hidden: Float[np.ndarray, "batch d_model"], ledger: Ledger) -> np.ndarray:
        model, encoded = self._task.model, self._task.encoded
        logits = unembedded(model, hidden)
        return self._task.read(Run(model.id, encoded, logits, {}, ledger, position("last")))
