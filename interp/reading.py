"""From the states of cells to what was to be read of them, a few rows of logits at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from interp import plainly
from interp.auditing import audit, sample
from interp.backends.protocol import Fired
from interp.backends.sharing import Moved
from interp.edits import Edit
from interp.encoded import Encoded
from interp.grids import Work
from interp.kept import Part
from interp.ledger import Entry, entry, report
from interp.models import Model
from interp.plainly import Plainly
from interp.planned import Job, States, Tally, states
from interp.planning import Cells
from interp.positions import position
from interp.readers import Reader, in_blocks, unembedded
from interp.runs import Run

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


def one_by_one(task: Task, job: Plainly) -> Found:
    """One plain run a variant; a reader is given the logits of some prompts, a metric those of all.

    Raises:
        MemoryError: a single prompt does not fit into memory.
    """
    read, found, n_prompts = task.read, dict[int, np.ndarray](), len(job.ids)
    told = dict[int, Ledger]()
    parts = plainly.logits(job)
    if isinstance(read, Reader):
        parts = (_read_part(task, read, part) for part in parts)
    for number, whole in plainly.whole_variants(parts, n_prompts):
        told[number] = ledger(task, number, whole.moved, np.zeros(n_prompts, int))
        report("run", told[number], encoded=task.encoded)
        found[number] = (
            whole.values
            if isinstance(read, Reader)
            else read(_run(task, whole.values, told[number]))
        )
    return plain_found(job, found, told)


def _read_part(task: Task, read: Reader, part: Part) -> Part:
    return replace(part, values=read.read(task.encoded, part.prompt, part.values))


def _run(task: Task, logits: np.ndarray, told: Ledger) -> Run:
    return Run(task.model.id, task.encoded, logits, {}, told, position("last"))


def plain_found(job: Plainly, found: Mapping[int, np.ndarray], told: Mapping[int, Ledger]) -> Found:
    """What was read of every variant that was run by itself."""
    tally, numbers = job.tally, range(len(found))
    took = Work(
        tally.layer_tokens, tally.layer_tokens, tally.head_rows,
        halved=job.portions.halved, kept=tally.kept,
    )  # fmt: skip
    values = np.stack([found[number] for number in numbers])
    return Found(values, tuple(told[number] for number in numbers), took)


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
    for one in found:
        report("run", one, encoded=task.encoded)
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
    fired = tally.fired(int(task.grid.accounts[-1]))
    cuts = zip(task.grid.accounts[:-1].tolist(), task.grid.accounts[1:].tolist(), strict=True)
    each = zip(cuts, passes, strict=True)
    return tuple(
        _ledger(task, number, fired[low:high], went)
        for number, ((low, high), went) in enumerate(each)
    )


def ledger(
    task: Task, number: int, moved: Sequence[Moved], passes: Int[np.ndarray, " batch"]
) -> Ledger:
    """The ledger of one variant, with every check that a run's has."""
    first, after = task.grid.accounts[number : number + 2].tolist()
    fired = Tally(list(moved)).fired(after - first, first=first)
    return _ledger(task, number, fired, passes)


def _ledger(
    task: Task, number: int, fired: Sequence[Fired], passes: Int[np.ndarray, " batch"]
) -> Ledger:
    """From what each of a variant's edits did."""
    each = zip(task.variants[number], task.grid.told(number), fired, strict=True)
    went = passes.tolist()
    return tuple(entry(task.encoded, edit, write, done, went) for edit, write, done in each)


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
        model = self._task.model
        return self._task.read(_run(self._task, unembedded(model, hidden), ledger))
