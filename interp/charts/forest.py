"""A forest plot: values with their intervals one below the other, published ones beside them."""

import msgspec

from interp.charts.parts import Cell, Table, extremes, refuse_undrawable


class Interval(msgspec.Struct, frozen=True):
    """A value with its interval and the number of its items, as far as they are known."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Row(msgspec.Struct, frozen=True):
    """One value of a group, such as a finding, and what a paper has for it."""

    group: str
    name: str
    measured: Interval
    published: Interval | None = None


class Forest(msgspec.Struct, frozen=True, tag="forest"):
    """Values of one unit, the first at the top."""

    title: str
    note: str
    across: str
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        """Refuse what is no number, and a forest without a tree."""
        shown = [one for row in self.rows for one in (row.measured, row.published) if one]
        numbers = [number for one in shown for number in (one.value, one.low, one.high)]
        known = [number for number in numbers if number is not None]
        refuse_undrawable(known, title=self.title)

    def says(self) -> list[str]:
        """How many values there are, and the highest and lowest of them."""
        places = [(row.measured.value, f"{row.group} {row.name}".strip()) for row in self.rows]
        beside = sum(row.published is not None for row in self.rows)
        return [
            f"Forest plot of {self.across}: {len(places)} measured, {beside} also published",
            extremes(places),
        ]

    def table(self) -> Table:
        """One line a value."""
        head = ("group", "name", "value", "low", "high", "n")
        rows = [
            (row.group, row.name, *_cells(row.measured), *_cells(row.published)[:3])
            for row in self.rows
        ]
        return Table((*head, "published", "published low", "published high"), tuple(rows))


def _cells(one: Interval | None) -> tuple[Cell, ...]:
    return (one.value, one.low, one.high, one.n) if one else (None, None, None, None)
