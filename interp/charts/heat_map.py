"""Colour over a grid: ranks by layer and position, rescues by source and target, heads."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from interp.charts.parts import (
    Cell,
    Place,
    Table,
    extremes,
    named,
    refuse_misfit,
    refuse_undrawable,
    told,
)


class Panel(msgspec.Struct, frozen=True):
    """One field of a heat map, its lowest row first; a cell of None is a hole.

    `words`, where given, are written into the cells instead of their numbers.
    """

    name: str
    cells: tuple[tuple[float | None, ...], ...]
    words: tuple[tuple[str, ...], ...] = ()


class HeatMap(msgspec.Struct, frozen=True, tag="heat map"):
    """Colour over named columns and rows, in panels that share the colours.

    The scale "around zero" is for what has a sign: its two halves have two colours.
    """

    title: str
    note: str
    across: str
    up: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    quantity: str
    panels: tuple[Panel, ...]
    scale: Literal["linear", "log", "around zero"] = "linear"

    def __post_init__(self) -> None:
        """Refuse a grid that is not whole, with nothing in it, or with what is no number."""
        size = [len(self.columns)] * len(self.rows)
        for panel in self.panels:
            refuse_misfit([*map(len, panel.cells)], size, title=self.title)
            refuse_misfit([*map(len, panel.words)], size if panel.words else [], title=self.title)
        numbers = [cell for panel in self.panels for cell, _ in self.places(panel)]
        refuse_undrawable(numbers, title=self.title, scale=self.scale)

    def places(self, panel: Panel) -> Iterator[Place]:
        """The cells that have a value, and where they are, in words."""
        for row, cells in zip(self.rows, panel.cells, strict=True):
            for column, cell in zip(self.columns, cells, strict=True):
                if cell is not None:
                    yield cell, f"{named(self.up, row)}, {named(self.across, column)}"

    def says(self) -> list[str]:
        """Where each panel is highest and lowest."""
        found = [extremes(list(self.places(panel)), panel.name) for panel in self.panels]
        return [f"Heat map of {self.quantity}, {self.up} by {self.across}", *found]

    def table(self) -> Table:
        """One line a row of a panel, the top row first."""
        several = len(self.panels) > 1
        head = (*(("panel",) if several else ()), self.up, *self.columns)
        rows = [
            (*((panel.name,) if several else ()), name, *_shown(panel, row))
            for panel in self.panels
            for row, name in reversed(list(enumerate(self.rows)))
        ]
        return Table(head, tuple(rows))


def _shown(panel: Panel, row: int) -> tuple[Cell, ...]:
    if not panel.words:
        return panel.cells[row]
    return tuple(
        f"{told(cell)} {word}" if cell is not None else word
        for cell, word in zip(panel.cells[row], panel.words[row], strict=True)
    )
