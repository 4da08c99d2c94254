"""Work in portions that memory holds: halved where they do not fit, and what is done stays done."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Part = TypeVar("Part")
Done = TypeVar("Done")


@dataclass
class Portions(Generic[Part]):
    """One kind of portion, and how much memory there is for it.

    A portion that needs more than `limit` bytes is halved before it is tried, one that turns out
    not to fit afterwards; then no other that needs as much is tried. The halves of a portion are a
    function of the portion alone. A single row is always tried.
    """

    limit: int
    need: Callable[[Part], int]  # bytes
    halves: Callable[[Part], list[Part]]  # none of a single row
    halved: int = 0

    def of(
        self,
        whole: Part,
        compute: Callable[[Part], Done],
        *,
        over: Callable[[Part], bool | None] = lambda _: False,
    ) -> Iterator[tuple[Part, Done]]:
        """What is computed of a portion, in its order.

        Args:
            whole: the portion.
            compute: computes a portion that fits.
            over: whether a portion is done already and is left out; None where part of it is.

        Raises:
            MemoryError: a single row does not fit.
        """
        waiting = [whole]
        while waiting:
            part = waiting.pop()
            done, halves = over(part), self.halves(part)
            if done:
                continue
            if halves and (done is None or self.need(part) > self.limit):
                waiting += halves[::-1]
                self.halved += done is not None
                continue
            try:
                found = compute(part)
            except MemoryError:
                if not halves:
                    raise
                self.limit = min(self.limit, self.need(part) - 1)
                waiting.append(part)
                continue
            yield part, found
