"""Curves with their intervals: by layer, by dose, by model."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol, Self, SupportsFloat

import msgspec

from interp.charts.parts import (
    Cell,
    Place,
    Scale,
    Table,
    extremes,
    named,
    refuse_misfit,
    refuse_undrawable,
    told,
)
from interp.errors import RequestError

MOST_LINES = 8  # as many colours and marks as can be told apart


class Estimated(Protocol):
    """A value with its interval."""

    @property
    def mean(self) -> float:
        """The value."""
        ...

    @property
    def low(self) -> float:
        """Where its interval begins."""
        ...

    @property
    def high(self) -> float:
        """Where it ends."""
        ...


class Line(msgspec.Struct, frozen=True):
    """One curve, with the ends of its interval at each point if it has one.

    A control is drawn as a band behind the others: its middle, and what lies between its ends.
    Points that no order joins, such as models, are not `joined`.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    role: Literal["measured", "control"] = "measured"
    joined: bool = True

    @classmethod
    def of(
        cls,
        name: str,
        x: Iterable[SupportsFloat],
        estimates: Sequence[Estimated],
        role: Literal["measured", "control"] = "measured",
    ) -> Self:
        """A curve through estimates, with their intervals."""
        means, lows, highs = (
            tuple(float(getattr(one, part)) for one in estimates)
            for part in ("mean", "low", "high")
        )
        return cls(name, tuple(map(float, x)), means, lows, highs, role)

    def ends(self) -> Sequence[tuple[float | None, float | None]]:
        """The interval at each point."""
        return list(zip(self.low, self.high, strict=True)) or [(None, None)] * len(self.x)


class Plot(msgspec.Struct, frozen=True):
    """The curves that share a vertical axis."""

    up: str
    lines: tuple[Line, ...]
    scale: Scale = "linear"

    def numbers(self) -> list[float]:
        """Everything that has a height in it."""
        return [number for line in self.lines for number in (*line.y, *line.low, *line.high)]


class Curves(msgspec.Struct, frozen=True, tag="curves"):
    """Curves over one horizontal axis, in plots one above the other.

    With `ticks` the axis counts named places: x = 0 is the first of them.
    """

    title: str
    note: str
    across: str
    plots: tuple[Plot, ...]
    ticks: tuple[str, ...] = ()
    scale: Scale = "linear"

    def __post_init__(self) -> None:
        """Refuse lines whose parts do not fit, too many of them, or what is no number."""
        for plot in self.plots:
            refuse_undrawable(plot.numbers(), title=self.title, scale=plot.scale)
            if len(plot.lines) > MOST_LINES:
                raise RequestError(
                    "too many lines to tell apart",
                    asked=f"chart {self.title!r}",
                    expected=f"at most {MOST_LINES} in a plot",
                    received=len(plot.lines),
                )
        for line in self.lines():
            refuse_undrawable(line.x, title=self.title, scale=self.scale)
            self._refuse_crooked(line)
        refuse_undrawable([x for line in self.lines() for x in line.x], title=self.title)

    def lines(self) -> Iterator[Line]:
        """The lines of all plots."""
        return (line for plot in self.plots for line in plot.lines)

    def at(self, x: float) -> Cell:
        """A place on the horizontal axis, by its name if it has one."""
        return self.ticks[int(x)] if self.ticks else x

    def says(self) -> list[str]:
        """Where each line starts, ends, and is highest and lowest."""
        ups = " and ".join(plot.up for plot in self.plots)
        return [f"Curves of {ups} by {self.across}", *map(self._course, self.lines())]

    def table(self) -> Table:
        """One line a point."""
        several = len(self.plots) > 1
        head = (*(("plot",) if several else ()), "line", self.across, "value", "low", "high")
        rows = [
            (*((plot.up,) if several else ()), line.name, self.at(x), y, *ends)
            for plot in self.plots
            for line in plot.lines
            for x, y, ends in zip(line.x, line.y, line.ends(), strict=True)
        ]
        return Table(head, tuple(rows))

    def _course(self, line: Line) -> str:
        places: list[Place] = [
            (y, named(self.across, self.at(x))) for x, y in zip(line.x, line.y, strict=True)
        ]
        (first, start), (last, end) = places[0], places[-1]
        return f"{extremes(places, line.name)}; {told(first)} at {start}, {told(last)} at {end}"

    def _refuse_crooked(self, line: Line) -> None:
        n, banded = len(line.x), bool(line.low or line.high)
        parts = [len(line.y), len(line.low), len(line.high)]
        refuse_misfit(parts, [n, n * banded, n * banded], title=self.title)
        if any(low > high for low, high in zip(line.low, line.high, strict=True)):
            raise RequestError("an interval ends below its start", where=self.title)
        if self.ticks and not {*line.x} <= {*range(len(self.ticks))}:
            raise RequestError("a point is at none of the named places", where=self.title)
