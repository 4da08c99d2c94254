"""From the decoded tokens of cells to what was to be read of each variant's generation."""

from collections.abc import Sequence

import numpy as np

from interp import plainly
from interp.auditing import audit_decoded, sample
from interp.groves import Continued, NewIds, continued, unpadded
from interp.ledger import report
from interp.plainly import Plainly
from interp.planned import Job
from interp.reading import Found, Ledger, Task, ledger, ledgers, plain_found, work
from interp.runs import Generation


def one_by_one(task: Task, job: Plainly) -> Found:
    """One plain generation a variant.

    Raises:
        MemoryError: a single prompt does not fit into memory.
    """
    found, told = dict[int, np.ndarray](), dict[int, Ledger]()
    for number, whole in plainly.whole_variants(plainly.decoded(job), len(job.ids)):
        passes, said = whole.values[:, 0], whole.values[:, 1:]
        told[number] = ledger(task, number, whole.moved, passes)
        report("generate", told[number], encoded=task.encoded)
        found[number] = _read(task, unpadded(said), told[number])
    return plain_found(job, found, told)


def together(task: Task, job: Job, max_new_tokens: int) -> Found:
    """All cells as the plan has them, then a sample of them once more through plain hooks.

    Raises:
        DataError: a token of the sample is not what a plain pass finds likeliest.
        MemoryError: a single row does not fit into memory.
    """
    grid = task.grid
    sampled, worst = sample(grid.width.shape), 0.0
    new = np.empty(grid.width.shape, dtype=object)
    for done in continued(job, max_new_tokens=max_new_tokens):
        for cell in zip(done.variant, done.prompt, done.new_ids, strict=True):
            new[cell[0], cell[1]] = cell[2]
        worst = max(worst, audit_decoded(task.model, grid, job.ids, _only(done, sampled)))
    passes = np.vectorize(len, otypes=[np.int64])(new) - 1
    found = ledgers(task, job.tally, passes)
    for one in found:
        report("generate", one, encoded=task.encoded)
    values = np.stack([_read(task, *one) for one in zip(new, found, strict=True)])
    plain = len(new) * grid.once + int(passes.sum()) * grid.n_layers
    return Found(values, found, work(job, plain, worst))


def _read(task: Task, new: Sequence[NewIds], told: Ledger) -> np.ndarray:
    """What is read of one variant's generation."""
    texts = tuple(map(task.model.backend.tokenizer.decode, new))
    return np.asarray(task.read(Generation(task.model.id, task.encoded, tuple(new), texts, told)))


def _only(done: Continued, sampled: np.ndarray) -> Continued:
    chosen = sampled[done.variant, done.prompt]
    kept = tuple(new for new, one in zip(done.new_ids, chosen, strict=True) if one)
    return Continued(done.variant[chosen], done.prompt[chosen], kept)
