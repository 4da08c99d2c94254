"""From the states of cells to what was to be read of them, a few rows of logits at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from interp.backends.sharing import Sharing
from interp.backends.taps import finite
from interp.edits import Edit
from interp.encoded import Encoded
from interp.grids import Work
from interp.ledger import Entry, entry, report
from interp.models import Model
from interp.planned import States, Tally, states
from interp.planning import Cells
from interp.positions import position
from interp.readers import Reader
from interp.rungs import audit
from interp.runs import Run, run

Metric = Callable[[Run], Shaped[np.ndarray, "batch ..."]]
Ledger = tuple[Entry, ...]
BLOCK = 2**23  # bytes of logits that are read at once
AUDITED = 1000  # one cell of so many is run again through plain hooks, and three at least


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be read of which cells."""

    model: Model
    encoded: Encoded
    grid: Cells
    variants: Sequence[tuple[Edit, ...]]
    read: Metric


@dataclass(frozen=True, eq=False)
class Found:
    """What was read: one value a distinct variant and prompt, the ledgers, and what it took."""

    values: Shaped[np.ndarray, "variant batch ..."]
    ledgers: tuple[Ledger, ...]
    work: Work


def one_by_one(
    model: Model, encoded: Encoded, variants: Sequence[tuple[Edit, ...]], read: Metric
) -> Found:
    """One plain run a variant."""
    values, ledgers = [], []
    for variant in variants:
        done = run(model, encoded.prompts, *variant)
        values.append(read(done))
        ledgers.append(done.ledger)
    took = len(variants) * sum(encoded.lengths) * model.n_layers
    return Found(np.stack(values), tuple(ledgers), Work(took, took))


def together(task: Task, sharing: Sharing, memory: int | None) -> Found:
    """All cells as the plan has them, then a sample of them once more through plain hooks.

    Raises:
        DataError: a cell of the sample differs.
    """
    grid, tally = task.grid, Tally()
    shape = grid.width.shape
    sampled = _sample(shape)
    kept: list[States] = []
    reading = _Streamed(task) if isinstance(task.read, Reader) else _Whole(task)
    for done in states(sharing, grid, task.encoded.ids, tally, memory):
        reading.take(done)
        kept.append(done.only(sampled[done.variant, done.prompt]))
    worst = audit(task.model, grid, task.encoded.ids, [one for one in kept if len(one.variant)])
    ledgers = _ledgers(task, tally)
    one_by_one = len(grid.writes) * grid.once
    work = Work(tally.layer_tokens, one_by_one, int(sampled.sum()), worst)
    for ledger in ledgers:
        report("run", ledger)
    return Found(reading.values(ledgers), ledgers, work)


class _Streamed:
    """A reader's values: the logits of a block of rows at a time."""

    def __init__(self, task: Task) -> None:
        """Nothing was read yet."""
        self._task = task
        self._values: np.ndarray | None = None

    def take(self, done: States) -> None:
        """Read these cells."""
        read, task = self._task.read, self._task
        assert isinstance(read, Reader)
        size = max(BLOCK // (4 * task.model.backend.info.d_vocab), 1)
        for start in range(0, len(done.variant), size):
            part = slice(start, start + size)
            logits = _logits(task.model, done.hidden[part])
            found = read.read(task.encoded, done.prompt[part], logits)
            if self._values is None:
                self._values = np.zeros((*task.grid.width.shape, *found.shape[1:]), found.dtype)
            self._values[done.variant[part], done.prompt[part]] = found

    def values(self, _ledgers: Sequence[Ledger]) -> np.ndarray:
        """All of them."""
        return np.asarray(self._values)


class _Whole:
    """Any metric's values: the states of all cells are kept, the logits of one variant at a time."""

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
        logits = _logits(model, hidden)
        return self._task.read(Run(model.id, encoded, logits, {}, ledger, position("last")))


def _logits(model: Model, hidden: Float[np.ndarray, "n d_model"]) -> Float[np.ndarray, "n d_vocab"]:
    return finite(model.backend.unembed(hidden), "logits", np.ones(len(hidden), dtype=bool))


def _sample(shape: tuple[int, ...]) -> np.ndarray:
    """Which cells are audited: drawn with a seed of the grid's own."""
    cells = int(np.prod(shape))
    chosen = np.random.default_rng(shape).permutation(cells)[: max(3, cells // AUDITED)]
    return np.isin(np.arange(cells), chosen).reshape(shape)


def _ledgers(task: Task, tally: Tally) -> tuple[Ledger, ...]:
    """One ledger a variant, with every check that a run's has."""
    accounts, never = task.grid.accounts, (0,) * len(task.encoded.ids)
    fired = tally.fired(int(accounts[-1]))
    return tuple(
        tuple(
            entry(task.encoded, edit, dict(writes)[place], fired[first + place], never)
            for place, edit in enumerate(variant)
        )
        for variant, writes, first in zip(task.variants, task.grid.writes, accounts, strict=False)
    )
