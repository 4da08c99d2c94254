"""What every kind of chart needs: its numbers checked, told in words, and as a table."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from interp.errors import NonFiniteError, RequestError

Scale = Literal["linear", "log"]
Cell = str | float | int | None
Place = tuple[float, str]
LARGEST = 1e100  # what an axis can hold without its ends overflowing


class Table(NamedTuple):
    """The numbers of a chart, as they stand under it."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def told(value: Cell) -> str:
    """A number in three significant digits or to the whole, a name as it is."""
    if not isinstance(value, float):
        return str(value).strip()
    return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"  # noqa: PLR2004


def named(axis: str, value: Cell) -> str:
    """A place on an axis as a sentence says it: without what its label has in brackets."""
    return f"{axis.partition(' (')[0]} {told(value)}"


def extremes(places: Sequence[Place], name: str = "") -> str:
    """The highest and the lowest value of what has this name, and where they are."""
    head = f"{name}: highest" if name else "Highest"
    if not places:
        return f"{head} nowhere"
    high, low = max(places, key=lambda one: one[0]), min(places, key=lambda one: one[0])
    if high[0] == low[0]:
        return f"{head} and lowest {told(high[0])}"
    return f"{head} {told(high[0])} at {high[1]}, lowest {told(low[0])} at {low[1]}"


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
        RequestError: there are none, one is too large, or has not the logarithm that is asked.
    """
    if not numbers:
        raise RequestError("a chart without data shows nothing", asked=f"chart {title!r}")
    if not all(map(math.isfinite, numbers)):
        worst = next(number for number in numbers if not math.isfinite(number))
        raise NonFiniteError("a chart shows finite numbers", where=title, received=worst)
    if max(map(abs, numbers)) > LARGEST:
        raise RequestError(
            "a chart shows numbers of a size that can be drawn",
            where=title,
            expected=f"at most {LARGEST:g}",
            received=max(map(abs, numbers)),
        )
    if scale == "log" and min(numbers) <= 0:
        raise RequestError(
            "a logarithmic scale needs numbers above zero", where=title, received=min(numbers)
        )
