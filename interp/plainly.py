"""A sweep without sharing: one run a variant through hooks, with as many prompts as memory holds.

Nothing of it is audited: these are the runs that an audit compares with.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from jaxtyping import Int

from interp import planning
from interp.backends import room
from interp.backends.batching import for_rows
from interp.backends.protocol import Decoded, Fired, Write
from interp.backends.sharing import Moved, Shares
from interp.kept import Part
from interp.models import Model
from interp.planned import TRUNK_TOKENS, Begun, Tally, all_or_none, halves
from interp.planning import Cells
from interp.portions import Portions

FLOATS = 20  # of the width of the stream that a token takes in one layer, where nothing is known
Chunk = Int[np.ndarray, " prompt"]
Ran = Callable[[int, Chunk], tuple[Part, Tally]]


@dataclass(frozen=True, eq=False)
class Plainly(Begun):
    """A grid to be run variant by variant, in so much memory; with new tokens where asked for."""

    model: Model = field(kw_only=True)
    memory: int = field(kw_only=True)
    new: int = field(default=0, kw_only=True)

    @cached_property
    def portions(self) -> Portions[Chunk]:
        """The prompts of a run, halved where they do not fit."""
        return Portions(self.memory, self._need, halves)

    @cached_property
    def chunks(self) -> list[Chunk]:
        """The prompts of a run: a function of the grid and the device alone."""
        on_cpu = self.model.backend.info.device == "cpu"
        tokens = room.CPU_TOKENS if on_cpu else room.GPU_TOKENS
        return planning.trunks(self.grid, TRUNK_TOKENS * tokens)

    def writes(self, number: int, chunk: Chunk) -> list[Write]:
        """The writes of a variant, for some prompts."""
        told = self.grid.told(number)
        if len(chunk) == len(self.ids):
            return told
        longest = int(self.grid.lengths[chunk].max())
        return [for_rows(write, chunk.tolist(), longest) for write in told]

    def _need(self, chunk: Chunk) -> int:
        """One layer's values, the logits of each length, and the keys of what is decoded."""
        info, lengths = self.model.backend.info, self.grid.lengths[chunk]
        longest = int(lengths.max()) + self.new
        logits = 4 * info.d_vocab * (1 + (1 if self.new else len(np.unique(lengths))))
        kept = 8 * longest * info.n_kv_heads * info.d_head * info.n_layers if self.new else 0
        return len(chunk) * (longest * _a_token(self.model, longest) + logits + kept)


def memory_for(model: Model) -> int:
    """How many bytes a sweep may take where nothing is said: about half of what is free."""
    backend = model.backend
    return backend.sharing.memory if isinstance(backend, Shares) else room.half(room.free())


def logits(job: Plainly) -> Iterator[Part]:
    """The logits after the prompts, [prompt, d_vocab] a part, of one variant after another.

    Raises:
        MemoryError: a single prompt does not fit into memory.
    """

    def ran(number: int, chunk: Chunk) -> tuple[Part, Tally]:
        ids = [job.ids[row] for row in chunk]
        done = job.model.backend.forward(ids, job.writes(number, chunk))
        moved = _moved(job.grid, number, done.fired)
        took = int(job.grid.lengths[chunk].sum()) * job.grid.n_layers
        part = Part(np.full(len(chunk), number), chunk, done.logits, moved)
        return part, Tally(list(moved), took, len(chunk))

    yield from _each(job, ran)


def decoded(job: Plainly) -> Iterator[Part]:
    """What the prompts are continued with: [prompt, 1 + new], passes first, -1 after the end.

    Raises:
        MemoryError: a single prompt does not fit into memory.
    """

    def ran(number: int, chunk: Chunk) -> tuple[Part, Tally]:
        ids = [job.ids[row] for row in chunk]
        done = job.model.backend.generate(ids, job.writes(number, chunk), max_new_tokens=job.new)
        moved, said = _moved(job.grid, number, done.fired), sum(map(len, done.new_ids))
        took = (int(job.grid.lengths[chunk].sum()) + said - len(chunk)) * job.grid.n_layers
        values = _said(done, job.new)
        return Part(np.full(len(chunk), number), chunk, values, moved), Tally(
            list(moved), took, said
        )

    yield from _each(job, ran)


def whole_variants(parts: Iterator[Part], n_prompts: int) -> Iterator[tuple[int, Part]]:
    """Each variant once all its prompts are there, in the order of the batch."""
    waiting: dict[int, list[Part]] = {}
    for part in parts:
        number = int(part.variant[0])
        waiting.setdefault(number, []).append(part)
        if sum(len(one.prompt) for one in waiting[number]) == n_prompts:
            yield number, _joined(waiting.pop(number))


def _each(job: Plainly, ran: Ran) -> Iterator[Part]:
    yield from job.earlier()
    for number in range(len(job.grid.writes)):
        for chunk in job.chunks:
            over = partial(_over, job, number)
            for _, (part, took) in job.portions.of(chunk, partial(ran, number), over=over):
                job.finished(part, took)
                yield part


def _over(job: Plainly, number: int, chunk: Chunk) -> bool | None:
    return all_or_none(job.over[number, chunk])


def _a_token(model: Model, longest: int) -> int:
    """What one token takes at most, with prompts of at most this length."""
    backend, info = model.backend, model.backend.info
    if isinstance(backend, Shares):
        return backend.sharing.bytes_a_token(longest)
    return 4 * (FLOATS * info.d_model + 3 * info.n_heads * longest)


def _moved(grid: Cells, number: int, fired: Sequence[Fired]) -> tuple[Moved, ...]:
    """What the edits of a run did, as if each value had moved as far as the median one."""
    first = int(grid.accounts[number])
    counts = [one.count for one in fired]
    account = np.repeat(np.arange(first, first + len(fired)), counts)
    delta, norm = ([getattr(one, name) for one in fired] for name in ("delta_norm", "site_norm"))
    return (Moved(account, np.repeat(delta, counts), np.repeat(norm, counts)),) if fired else ()


def _said(done: Decoded, new: int) -> Int[np.ndarray, "prompt token"]:
    rows = zip(done.passes, done.new_ids, strict=True)
    return np.array([[passes, *ids, *[-1] * (new - len(ids))] for passes, ids in rows])


def _joined(parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    prompt = np.concatenate([one.prompt for one in parts])
    order = np.argsort(prompt)
    values = np.concatenate([one.values for one in parts])[order]
    moved = tuple(moved for one in parts for moved in one.moved)
    return Part(parts[0].variant[0].repeat(len(order)), prompt[order], values, moved)
