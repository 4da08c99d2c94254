"""Who is measured: plain hooks in this process and peers in theirs; what a workload asks of all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from measure import Taken, taken
from peers.job import Job

Pick = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Contender:
    """Somebody who does a share of the cells; `of` picks ours of those cells."""

    take: Callable[[], Taken]
    of: Pick = np.asarray


@dataclass(frozen=True, eq=False)
class Request:
    """What a peer is asked for: a share of the work."""

    job: Job
    share: float = 1.0
    of: Pick = np.asarray


@dataclass(frozen=True, eq=False)
class Workload:
    """One question: how we answer it, how others do, and the least arithmetic it takes.

    `ask` makes the request to a peer, with so many times the cells that plain hooks run.
    """

    name: str
    ours: Callable[[], np.ndarray]
    plain: Mapping[str, Contender]
    flops: float
    ask: Callable[[int], Request]
    slack: int = 1  # what rounding does to a rank between kernel shapes; tokens have none


def here(call: Callable[[], np.ndarray], share: float = 1.0, of: Pick = np.asarray) -> Contender:
    """A contender in this process."""
    return Contender(lambda: taken(call, share=share), of)


def loops_and_batch(
    one: Callable[..., np.ndarray],
    cells: list,
    count: int,
    stride: int,
    ways: Mapping[str, Mapping[str, bool]],
) -> dict[str, Contender]:
    """Some of the cells with plain hooks: runs of a cell, and one run a variant for all prompts.

    Args:
        one: a cell on some prompts.
        cells: all of them.
        count: how many prompts there are.
        stride: which cells are run.
        ways: what each way of running a cell by itself is called, and how `one` is told.
    """
    every = range(0, len(cells) * count, stride * count // 2 + 1)
    singles = [(number // count, number % count) for number in every]
    some = list(range(0, len(cells), stride))

    def alone(told: Mapping[str, bool]) -> np.ndarray:
        return np.concatenate([one(cells[v], [p], **told) for v, p in singles])

    loops = {
        name: here(
            lambda told=told: alone(told),
            len(singles) / (len(cells) * count),
            lambda values: np.stack([values[v, p] for v, p in singles]),
        )
        for name, told in ways.items()
    }
    batched = here(
        lambda: np.stack([one(cells[v], list(range(count))) for v in some]),
        len(some) / len(cells),
        lambda values: values[some],
    )
    return {**loops, "batched": batched}


def some_cells(job: Callable[[list], Job], cells: list, stride: int) -> Callable[[int], Request]:
    """Requests for every so many-th cell."""

    def ask(density: int) -> Request:
        some = list(range(0, len(cells), max(stride // density, 1)))
        wanted = job([cells[number] for number in some])
        return Request(wanted, len(some) / len(cells), lambda values: values[some])

    return ask
