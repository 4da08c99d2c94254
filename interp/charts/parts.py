"""What every kind of chart needs: its numbers checked, told in words, and as a table."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from interp.errors import NonFiniteError, RequestError

Scale = Literal["linear", "log"]
Cell = str | float | int | None
Place = tuple[float, str]


class Table(NamedTuple):
    """The numbers of a chart, as they stand under it."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def told(value: Cell) -> str:
    """A number in three significant digits, a name as it is."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def extremes(places: Sequence[Place]) -> str:
    """The highest and the lowest value, and where they are."""
    if not places:
        return "no value"
    high, low = max(places, key=lambda one: one[0]), min(places, key=lambda one: one[0])
    if high[0] == low[0]:
        return f"{told(high[0])} everywhere"
    return f"highest {told(high[0])} at {high[1]}, lowest {told(low[0])} at {low[1]}"


def refuse_misfit(received: Sequence[int], expected: Sequence[int], *, title: str) -> None:
    """Refuse parts of a chart that have other lengths than they must.

    Raises:
        RequestError: they do.
    """
    if list(received) != list(expected):
        raise RequestError(
            "the parts of a chart do not fit each other",
            asked=f"chart {title!r}",
            expected=f"lengths {list(expected)}",
            received=f"lengths {list(received)}",
        )


def refuse_undrawable(numbers: Sequence[float], *, title: str, scale: str = "linear") -> None:
    """Refuse numbers that cannot be drawn.

    Raises:
        NonFiniteError: one is NaN or infinite.
        RequestError: there are none, or one has not the logarithm that the scale takes.
    """
    if not numbers:
        raise RequestError("a chart without data shows nothing", asked=f"chart {title!r}")
    if not all(map(math.isfinite, numbers)):
        worst = next(number for number in numbers if not math.isfinite(number))
        raise NonFiniteError("a chart shows finite numbers", where=title, received=worst)
    if scale == "log" and min(numbers) <= 0:
        raise RequestError(
            "a logarithmic scale needs numbers above zero", where=title, received=min(numbers)
        )
