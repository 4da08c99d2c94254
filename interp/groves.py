"""A planned sweep with generation: the prompts once, the cones of edited prompts, then decoding.

Cells whose edits have no dose on a prompt are one row; what their edits touched is written down
for each of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from interp import planning
from interp.backends.sharing import Grove, OwnKeys, Sharing, Stroke
from interp.errors import RequestError
from interp.planned import TRUNK_TOKENS, Ground, Tally, at_once, waves
from interp.planning import Cells
from interp.strokes import Strokes, stroke

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
        """The same in two: the first half of the rows, and the others."""
        cut = (int(self.row.max()) + 1) // 2
        return [self._where(self.row >= cut, cut), self._where(self.row < cut, 0)]

    def _where(self, chosen: Bool[np.ndarray, " n"], less: int) -> "Stand":
        return Stand(self.variant[chosen], self.prompt[chosen], self.row[chosen] - less)


def continued(
    sharing: Sharing,
    grid: Cells,
    ids: Sequence[Sequence[int]],
    tally: Tally,
    *,
    max_new_tokens: int,
    memory: int,
) -> Iterator[Continued]:
    """Every cell of a grid with what greedy decoding continues it with.

    Raises:
        RequestError: a single row does not fit into memory.
    """
    tokens = at_once(sharing, grid, memory)
    for chunk in planning.trunks(grid, TRUNK_TOKENS * tokens):
        trunk = sharing.trunk(planning.trunk_plan(grid, chunk, ids))
        tally.layer_tokens += trunk.layer_tokens
        ground = Ground(sharing, trunk, grid, chunk, tally)
        own = int(grid.width[:, chunk].max()) + max_new_tokens
        rows = max(min(tokens // 2, memory // sharing.bytes_a_row(own)), 1)
        for stand in _stands(grid, chunk, rows):
            yield from _decoded(ground, stand, tokens, max_new_tokens)


def _decoded(ground: Ground, stand: Stand, tokens: int, max_new_tokens: int) -> Iterator[Continued]:
    """A stand at once, or in as many parts as memory makes of it; what is done stays done."""
    waiting, tally = [stand], ground.tally
    while waiting:
        part = waiting.pop()
        before = tally.layer_tokens, len(tally.moved)
        try:
            grove = _grove(ground, part, tokens)
            grown = ground.sharing.grow(ground.trunk, grove, max_new_tokens=max_new_tokens)
        except MemoryError as error:
            if len(part.prompts) == 1:
                raise RequestError("one row does not fit into memory", received=error) from None
            tally.layer_tokens = before[0]
            del tally.moved[before[1] :]
            waiting += part.halves()
            continue
        tally.layer_tokens += grown.layer_tokens
        tally.moved += grown.moved
        new = tuple(grown.new_ids[row] for row in part.row)
        yield Continued(part.variant, part.prompt, new)


def _grove(ground: Ground, stand: Stand, tokens: int) -> Grove:
    """The rows of a stand when they have read their prompts: edited ones in waves of their own."""
    grid, columns = ground.grid, np.searchsorted(ground.chunk, stand.prompts)
    hidden = ground.trunk.hidden[columns]
    rows = np.full(grid.width.shape, -1)
    rows[stand.variant, stand.prompt] = stand.row
    chosen = rows >= 0
    brought: list[tuple[OwnKeys, Int[np.ndarray, " wave_row"]]] = []
    for batch in planning.batches(grid, chosen, tokens):
        for part, done in waves(ground, batch, keep=True):
            merged = grid.idle[part.variant, part.prompt]
            place = np.where(merged, -1, rows[part.variant, part.prompt])
            hidden[place[~merged]] = done.hidden[~merged]
            brought.append((done.own, place))
    return Grove(columns, hidden, _generated(grid, stand), tuple(brought))


def _generated(grid: Cells, stand: Stand) -> tuple[Stroke, ...]:
    """What the variants write into the tokens that are generated."""
    strokes = Strokes(grid.n_layers)
    for number in np.unique(stand.variant).tolist():
        mine = stand.variant == number
        row, prompt = stand.row[mine], stand.prompt[mine]
        first, added = int(grid.accounts[number]), []
        for place, write in grid.writes[number]:
            on = write.generated[prompt]
            if on.any():
                at = np.zeros(int(on.sum()), dtype=np.int64)
                one = stroke(write, first + place, row[on], prompt[on], (at, at))
                added.append((write, one))
        strokes.add(added)
    return strokes.all()


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
