"""A planned sweep with generation: the prompts once, the cones of edited prompts, then decoding.

Cells whose edits have no dose on a prompt are one row; what their edits touched is written down
for each of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Int

from interp import planning
from interp.backends.sharing import Grove, Grown, OwnKeys, Stroke
from interp.kept import Part
from interp.planned import Ground, Job, Tally, all_or_none, grounds, waves
from interp.planning import Cells
from interp.portions import Portions

NewIds = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Continued:
    """What some cells, (variant, prompt) by number, were continued with."""

    variant: Int[np.ndarray, " n"]
    prompt: Int[np.ndarray, " n"]
    new_ids: tuple[NewIds, ...]


@dataclass(frozen=True, eq=False)
class Stand:
    """Cells that are decoded together, each in its `row`; the idle ones of a prompt share one."""

    variant: Int[np.ndarray, " n"]
    prompt: Int[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]

    @property
    def prompts(self) -> Int[np.ndarray, " row"]:
        """The prompt of each row."""
        found = np.zeros(int(self.row.max()) + 1, dtype=np.int64)
        found[self.row] = self.prompt
        return found

    def halves(self) -> list["Stand"]:
        """The same in two: the first half of the rows, and the others; nothing of one row."""
        cut = (int(self.row.max()) + 1) // 2
        if not cut:
            return []
        return [self._where(self.row < cut, 0), self._where(self.row >= cut, cut)]

    def _where(self, chosen: Bool[np.ndarray, " n"], less: int) -> "Stand":
        return Stand(self.variant[chosen], self.prompt[chosen], self.row[chosen] - less)


def continued(job: Job, *, max_new_tokens: int) -> Iterator[Continued]:
    """Every cell of a grid with what greedy decoding continues it with.

    Raises:
        MemoryError: a single row does not fit into memory.
    """
    for part in job.earlier():
        yield Continued(part.variant, part.prompt, unpadded(part.values))
    room, sharing = job.room, job.room.sharing
    for ground in grounds(job):
        own = int(job.grid.width[:, ground.chunk].max()) + max_new_tokens
        a_row = sharing.bytes_a_row(own)
        rows = max(min(room.tokens // 2, sharing.working_set // a_row), 1)
        stands = Portions(room.quarter, partial(_bytes, a_row), Stand.halves)
        for stand in _stands(job.grid, ground.chunk, rows):
            yield from _decoded(ground, stands, stand, max_new_tokens)
        room.waves.halved += stands.halved


def _decoded(
    ground: Ground, stands: Portions[Stand], stand: Stand, max_new_tokens: int
) -> Iterator[Continued]:
    """A stand at once, or in as many parts as memory makes of it, without the rows that are over.

    Raises:
        MemoryError: a single row does not fit into memory.
    """
    job = ground.job

    def grown(part: Stand) -> tuple[Grown, Tally]:
        took = Tally()
        grove = _grove(ground, part, took)
        done = job.room.sharing.grow(ground.trunk, grove, max_new_tokens=max_new_tokens)
        took.add(Tally(list(done.moved), done.layer_tokens, sum(map(len, done.new_ids))))
        return done, took

    def over(part: Stand) -> bool | None:
        return all_or_none(job.over[part.variant, part.prompt])

    for part, (done, took) in stands.of(stand, grown, over=over):
        new = tuple(done.new_ids[row] for row in part.row)
        kept = Part(part.variant, part.prompt, _padded(new, max_new_tokens), took.moved)
        job.finished(kept, took)
        yield Continued(part.variant, part.prompt, new)


def _grove(ground: Ground, stand: Stand, took: Tally) -> Grove:
    """The rows of a stand when they have read their prompts: edited ones in waves of their own."""
    grid, columns = ground.job.grid, np.searchsorted(ground.chunk, stand.prompts)
    hidden = ground.trunk.hidden[columns]
    rows = np.full(grid.width.shape, -1)
    rows[stand.variant, stand.prompt] = stand.row
    brought: list[tuple[OwnKeys, Int[np.ndarray, " wave_row"]]] = []
    for batch in planning.batches(grid, rows >= 0, ground.job.room.tokens):
        for part, done in waves(ground, batch, keep=True):
            took.add(Tally(list(done.moved), done.layer_tokens))
            merged = grid.idle[part.variant, part.prompt]
            place = np.where(merged, -1, rows[part.variant, part.prompt])
            hidden[place[~merged]] = done.hidden[~merged]
            brought.append((done.own, place))
    return Grove(columns, hidden, _generated(grid, stand), tuple(brought))


def _bytes(a_row: int, stand: Stand) -> int:
    return a_row * len(stand.prompts)


def _padded(new: Sequence[NewIds], width: int) -> Int[np.ndarray, "n new"]:
    return np.array([[*ids, *[-1] * (width - len(ids))] for ids in new], dtype=np.int64)


def unpadded(new: Int[np.ndarray, "n new"]) -> tuple[NewIds, ...]:
    """The new tokens of rows that -1 fills up."""
    return tuple(tuple(row[row >= 0].tolist()) for row in new)


def _generated(grid: Cells, stand: Stand) -> tuple[Stroke, ...]:
    """What the variants write into the tokens that are generated."""
    found = [turn.fed(stand.variant, stand.prompt, stand.row) for turn in grid.turns]
    return tuple(one.stroke(slice(None)) for one in found if len(one.row))


def _stands(grid: Cells, chunk: Int[np.ndarray, " prompt"], most: int) -> Iterator[Stand]:
    """The cells of these prompts, those of one prompt near, in stands of so many rows at most."""
    prompt, variant = np.nonzero(planning.of_prompts(grid, chunk).T)
    idle = grid.idle[variant, prompt]
    new = ~idle  # an idle cell is the row of the first idle one of its prompt
    new[np.flatnonzero(idle)[np.unique(prompt[idle], return_index=True)[1]]] = True
    row = np.cumsum(new) - 1
    first = dict(zip(prompt[idle & new].tolist(), row[idle & new].tolist(), strict=True))
    row[idle] = [first[one] for one in prompt[idle].tolist()]
    for start in range(0, int(row.max()) + 1, most):
        part = (row >= start) & (row < start + most)
        yield Stand(variant[part], prompt[part], row[part] - start)
