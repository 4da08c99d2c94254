"""From the decoded tokens of cells to what was to be read of each variant's generation."""

import numpy as np

from interp.auditing import audit_decoded, sample
from interp.grids import Work
from interp.groves import Continued, continued
from interp.ledger import report
from interp.planned import Job
from interp.reading import Found, Ledger, Task, ledgers, work
from interp.runs import Generation, generate


def one_by_one(task: Task, max_new_tokens: int) -> Found:
    """One plain generation a variant."""
    done = [
        generate(task.model, task.encoded.prompts, *variant, max_new_tokens=max_new_tokens)
        for variant in task.variants
    ]
    took = len(done) * task.grid.once
    took += sum(len(new) - 1 for one in done for new in one.new_ids) * task.grid.n_layers
    values = np.stack([task.read(one) for one in done])
    rows = sum(len(new) for one in done for new in one.new_ids)
    return Found(values, tuple(one.ledger for one in done), Work(took, took, rows))


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
    for ledger in found:
        report("generate", ledger, encoded=task.encoded)
    values = np.stack([_read(task, *one) for one in zip(new, found, strict=True)])
    plain = len(new) * grid.once + int(passes.sum()) * grid.n_layers
    return Found(values, found, work(job, plain, worst))


def _read(task: Task, new: np.ndarray, ledger: Ledger) -> np.ndarray:
    """What is read of one variant's generation."""
    texts = tuple(map(task.model.backend.tokenizer.decode, new))
    return task.read(Generation(task.model.id, task.encoded, tuple(new), texts, ledger))


def _only(done: Continued, sampled: np.ndarray) -> Continued:
    chosen = sampled[done.variant, done.prompt]
    kept = tuple(new for new, one in zip(done.new_ids, chosen, strict=True) if one)
    return Continued(done.variant[chosen], done.prompt[chosen], kept)
