"""A planned sweep at work: trunk by trunk, wave by wave, on what a backend offers for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from interp import planning
from interp.backends.protocol import Fired
from interp.backends.sharing import Moved, Sharing, Trunk, Waved
from interp.kept import Kept, Part
from interp.planning import Batch, Cells
from interp.portions import Portions

TRUNK_TOKENS = 4  # a trunk has so many times the tokens of a wave


@dataclass(frozen=True, eq=False)
class States:
    """What the final norm reads at the last position of some cells, (variant, prompt) by number."""

    variant: Int[np.ndarray, " n"]
    prompt: Int[np.ndarray, " n"]
    hidden: Float[np.ndarray, "n d_model"]

    def only(self, chosen: Bool[np.ndarray, " n"]) -> "States":
        """Those chosen."""
        return States(self.variant[chosen], self.prompt[chosen], self.hidden[chosen])


@dataclass
class Tally:
    """What a sweep took and what its edits did, so far; `kept` cells are of an earlier try."""

    moved: list[Moved] = field(default_factory=list)
    layer_tokens: int = 0
    head_rows: int = 0
    kept: int = 0

    def add(self, other: "Tally") -> None:
        """What else was done."""
        self.moved += other.moved
        self.layer_tokens += other.layer_tokens
        self.head_rows += other.head_rows
        self.kept += other.kept

    def fired(self, n_accounts: int, first: int = 0) -> tuple[Fired, ...]:
        """What each edit did in all cells together: how often, and the medians of its norms.

        Args:
            n_accounts: how many edits.
            first: the account of the first of them.
        """
        if not self.moved:
            return (Fired(0, 0.0, 0.0),) * n_accounts
        account = np.concatenate([one.account for one in self.moved])
        order = np.argsort(account, kind="stable")
        cuts = np.searchsorted(account[order], first + np.arange(1, n_accounts))
        delta, norm = (
            np.split(np.concatenate([getattr(one, name) for one in self.moved])[order], cuts)
            for name in ("delta", "norm")
        )
        return tuple(map(_fired, delta, norm))


class Room:
    """How much is computed together, in tokens; and whether memory holds it.

    The tokens are a function of the grid and the device alone: `memory` decides how often a portion
    is halved, nothing else. A quarter of it is for a trunk, a quarter for rows that are decoded,
    the rest for a wave.
    """

    def __init__(self, sharing: Sharing, grid: Cells, memory: int) -> None:
        """Nothing was tried yet."""
        self.sharing, self._grid = sharing, grid
        longest = int(grid.lengths.max())
        self._a_token = sharing.bytes_a_token(longest)
        self.tokens = sharing.tokens_at_once
        while self.tokens > 1 and self.tokens * self._a_token > sharing.working_set:
            self.tokens //= 2
        self.trunks = Portions(memory // 4, self._trunk, halves)
        self.waves = Portions(memory // 2, self._wave, Batch.halves)
        self.quarter = memory // 4

    @property
    def halved(self) -> int:
        """How many portions were halved."""
        return self.trunks.halved + self.waves.halved

    def _trunk(self, chunk: Int[np.ndarray, " prompt"]) -> int:
        """Keys and values of all layers, and what one layer takes, padding counted."""
        tokens = len(chunk) * int(self._grid.lengths[chunk].max())
        return self.sharing.bytes_a_row(tokens) + tokens * self.sharing.bytes_a_token(0)

    def _wave(self, batch: Batch) -> int:
        return (batch.high - batch.low) * batch.width * self._a_token


@dataclass(frozen=True, eq=False)
class Begun:
    """A grid to be computed: from which tokens, what is kept of it, and what it took so far."""

    grid: Cells
    ids: Sequence[Sequence[int]]
    kept: Kept = field(default_factory=Kept)
    tally: Tally = field(default_factory=Tally)

    @cached_property
    def over(self) -> Bool[np.ndarray, "variant batch"]:
        """The cells that an earlier try has finished."""
        found = np.zeros(self.grid.width.shape, dtype=bool)
        for part in self.kept.parts():
            found[part.variant, part.prompt] = True
        return found

    def earlier(self) -> Iterator[Part]:
        """What an earlier try has finished."""
        for part in self.kept.parts():
            self.tally.add(Tally(list(part.moved), kept=len(part.variant)))
            yield part

    def finished(self, part: Part, took: Tally) -> None:
        """Write down what was computed."""
        self.kept.add(part)
        self.tally.add(took)


@dataclass(frozen=True, eq=False)
class Job(Begun):
    """A grid to be computed together: in which room."""

    room: Room = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class Ground:
    """A trunk, and what stands on it."""

    job: Job
    trunk: Trunk
    chunk: Int[np.ndarray, " prompt"]

    def unmoved(self) -> States:
        """The cells that are their prompt as it is."""
        variant, column = np.nonzero(self.job.grid.width[:, self.chunk] == 0)
        found = States(variant, self.chunk[column], self.trunk.hidden[column])
        return found.only(~self.job.over[found.variant, found.prompt])


def states(job: Job) -> Iterator[States]:
    """Every cell of a grid, as it is computed; nothing is computed that is not asked for next.

    Raises:
        MemoryError: a single row does not fit into memory.
    """
    for part in job.earlier():
        yield States(part.variant, part.prompt, part.values)
    for ground in grounds(job):
        unmoved = ground.unmoved()
        job.finished(Part(unmoved.variant, unmoved.prompt, unmoved.hidden), Tally())
        yield unmoved
        chosen = planning.of_prompts(job.grid, ground.chunk)
        for batch in planning.batches(job.grid, chosen, job.room.tokens):
            for rows, done in waves(ground, batch, over=job.over):
                took = Tally(list(done.moved), done.layer_tokens)
                job.finished(Part(rows.variant, rows.prompt, done.hidden, done.moved), took)
                yield States(rows.variant, rows.prompt, done.hidden)


def grounds(job: Job) -> Iterator[Ground]:
    """The trunks of a grid, one after another; none where all its cells are over.

    Raises:
        MemoryError: a single prompt does not fit into memory.
    """

    def trunk(chunk: Int[np.ndarray, " prompt"]) -> Trunk:
        return job.room.sharing.trunk(planning.trunk_plan(job.grid, chunk, job.ids))

    def over(chunk: Int[np.ndarray, " prompt"]) -> bool:
        return bool(job.over[:, chunk].all())

    for whole in planning.trunks(job.grid, TRUNK_TOKENS * job.room.tokens):
        for chunk, done in job.room.trunks.of(whole, trunk, over=over):
            job.tally.layer_tokens += done.layer_tokens
            yield Ground(job, done, chunk)


def waves(
    ground: Ground,
    batch: Batch,
    *,
    keep: bool = False,
    over: Bool[np.ndarray, "variant batch"] | None = None,
) -> Iterator[tuple[Batch, Waved]]:
    """A batch in one wave, or in as many as memory makes of it, without the cells that are over.

    Raises:
        MemoryError: a single row does not fit into memory.
    """
    room = ground.job.room

    def wave(part: Batch) -> Waved:
        rows = planning.wave(part, ground.chunk)
        return room.sharing.wave(ground.trunk, rows, keep=keep)

    def among(part: Batch) -> bool | None:
        return False if over is None else all_or_none(over[part.variant, part.prompt])

    return room.waves.of(batch, wave, over=among)


def all_or_none(over: Bool[np.ndarray, " n"]) -> bool | None:
    """Whether all are over, or none is; None where it is some of them."""
    return bool(over.all()) if over.all() or not over.any() else None


def halves(chunk: Int[np.ndarray, " prompt"]) -> list[Int[np.ndarray, " _"]]:
    """The same prompts in two chunks; nothing of one prompt."""
    cut = len(chunk) // 2
    return [chunk[:cut], chunk[cut:]] if cut else []


def _fired(delta: Float[np.ndarray, " n"], norm: Float[np.ndarray, " n"]) -> Fired:
    if not len(delta):
        return Fired(0, 0.0, 0.0)
    return Fired(len(delta), float(np.median(delta)), float(np.median(norm)))
