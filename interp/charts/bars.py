"""Stacked bars: how often each outcome came out, column by column."""

import msgspec

from interp.charts.parts import Table, named, refuse_misfit, refuse_undrawable, told
from interp.errors import RequestError

MOST_PARTS = 8  # as many colours and hatches as can be told apart


class Part(msgspec.Struct, frozen=True):
    """One outcome and how often it came out in each column."""

    name: str
    sizes: tuple[float, ...]


class Bars(msgspec.Struct, frozen=True, tag="bars"):
    """One bar a column, made of the same parts, the first at the bottom."""

    title: str
    note: str
    across: str
    up: str
    columns: tuple[str, ...]
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        """Refuse parts that do not fit the columns, or that nobody could draw or tell apart.

        Raises:
            RequestError: they do not.
        """
        sizes = [size for part in self.parts for size in part.sizes]
        refuse_undrawable(sizes, title=self.title)
        lengths = [len(part.sizes) for part in self.parts]
        refuse_misfit(lengths, [len(self.columns)] * len(self.parts), title=self.title)
        if min(sizes) < 0 or not any(sizes) or len(self.parts) > MOST_PARTS:
            raise RequestError(
                f"a bar has at most {MOST_PARTS} parts, none below zero and not all of them zero",
                asked=f"chart {self.title!r}",
            )

    def says(self) -> list[str]:
        """The largest part of each column."""
        told_of = [self._largest(index) for index in range(len(self.columns))]
        return [f"Stacked bars of {self.up} by {self.across}, the largest part of each", *told_of]

    def table(self) -> Table:
        """One line a column."""
        sizes = zip(*(part.sizes for part in self.parts), strict=True)
        rows = [(name, *each) for name, each in zip(self.columns, sizes, strict=True)]
        return Table((self.across, *(part.name for part in self.parts)), tuple(rows))

    def _largest(self, index: int) -> str:
        whole = sum(part.sizes[index] for part in self.parts)
        most = max(self.parts, key=lambda part: part.sizes[index])
        place = named(self.across, self.columns[index])
        return f"{place}: {most.name} {told(most.sizes[index])} of {told(whole)}"
