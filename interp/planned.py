"""A planned sweep at work: trunk by trunk, wave by wave, on what a backend offers for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from interp import planning
from interp.backends.protocol import Fired
from interp.backends.sharing import Moved, Sharing, Trunk, Waved
from interp.errors import RequestError
from interp.planning import Batch, Cells

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
    """What a sweep took and what its edits did, so far."""

    moved: list[Moved] = field(default_factory=list)
    layer_tokens: int = 0

    def fired(self, n_accounts: int) -> tuple[Fired, ...]:
        """What each edit did in all cells together: how often, and the medians of its norms."""
        if not self.moved:
            return (Fired(0, 0.0, 0.0),) * n_accounts
        account = np.concatenate([one.account for one in self.moved])
        order = np.argsort(account, kind="stable")
        cuts = np.searchsorted(account[order], np.arange(1, n_accounts))
        delta, norm = (
            np.split(np.concatenate([getattr(one, name) for one in self.moved])[order], cuts)
            for name in ("delta", "norm")
        )
        return tuple(map(_fired, delta, norm))


@dataclass(frozen=True, eq=False)
class Ground:
    """A trunk, and what stands on it."""

    sharing: Sharing
    trunk: Trunk
    grid: Cells
    chunk: Int[np.ndarray, " prompt"]
    tally: Tally

    def unmoved(self) -> States:
        """The cells that are their prompt as it is."""
        variant, column = np.nonzero(self.grid.width[:, self.chunk] == 0)
        return States(variant, self.chunk[column], self.trunk.hidden[column])


def states(
    sharing: Sharing,
    grid: Cells,
    ids: Sequence[Sequence[int]],
    tally: Tally,
    memory: int,
) -> Iterator[States]:
    """Every cell of a grid, as it is computed; nothing is computed that is not asked for next.

    Args:
        sharing: what the backend offers.
        grid: the cells.
        ids: the prompts' tokens.
        tally: counts along.
        memory: bytes that a wave may take.

    Raises:
        RequestError: a single row does not fit into memory.
    """
    tokens = at_once(sharing, grid, memory)
    waiting = planning.trunks(grid, TRUNK_TOKENS * tokens)[::-1]
    while waiting:
        chunk = waiting.pop()
        try:
            trunk = sharing.trunk(planning.trunk_plan(grid, chunk, ids))
        except MemoryError:
            waiting += _halves(chunk)
            continue
        tally.layer_tokens += trunk.layer_tokens
        ground = Ground(sharing, trunk, grid, chunk, tally)
        yield ground.unmoved()
        for batch in planning.batches(grid, planning.of_prompts(grid, chunk), tokens):
            for part, done in waves(ground, batch):
                yield States(part.variant, part.prompt, done.hidden)


def at_once(sharing: Sharing, grid: Cells, memory: int) -> int:
    """How many tokens a wave has: what saturates the device, halved until the memory holds it."""
    tokens = sharing.tokens_at_once
    longest = int(grid.lengths.max())
    while tokens > 1 and tokens * sharing.bytes_a_token(longest) > memory:
        tokens //= 2
    return tokens


def waves(ground: Ground, batch: Batch, *, keep: bool = False) -> Iterator[tuple[Batch, Waved]]:
    """A batch in one wave, or in as many as memory makes of it; what is done stays done.

    Raises:
        RequestError: a single row does not fit into memory.
    """
    waiting = [batch]
    while waiting:
        part = waiting.pop()
        rows = planning.wave(ground.grid, part, ground.chunk)
        try:
            done = ground.sharing.wave(ground.trunk, rows, keep=keep)
        except MemoryError as error:
            if len(part.variant) == 1:
                raise RequestError("one row does not fit into memory", received=error) from None
            waiting += part.halves()[::-1]
            continue
        ground.tally.layer_tokens += done.layer_tokens
        ground.tally.moved += done.moved
        yield part, done


def _halves(chunk: Int[np.ndarray, " prompt"]) -> list[Int[np.ndarray, " prompt"]]:
    if len(chunk) == 1:
        raise RequestError("one prompt does not fit into memory", hint="a shorter one")
    return [chunk[len(chunk) // 2 :], chunk[: len(chunk) // 2]]


def _fired(delta: Float[np.ndarray, " n"], norm: Float[np.ndarray, " n"]) -> Fired:
    if not len(delta):
        return Fired(0, 0.0, 0.0)
    return Fired(len(delta), float(np.median(delta)), float(np.median(norm)))
