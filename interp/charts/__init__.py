"""Figures as values: what a chart shows, not how it is drawn.

A technique makes one, a finding records it with `drawn`, and `interp.reports.figures` draws it
later. Charts hold texts, numbers and tuples only, so that JSON gives back the same chart.
"""

from collections.abc import Iterable
from typing import Any, SupportsFloat

import msgspec

from interp.charts.bars import Bars as Bars
from interp.charts.bars import Part as Part
from interp.charts.curves import Curves as Curves
from interp.charts.curves import Line as Line
from interp.charts.curves import Plot as Plot
from interp.charts.forest import Forest as Forest
from interp.charts.forest import Interval as Interval
from interp.charts.forest import Row as Row
from interp.charts.heat_map import HeatMap as HeatMap
from interp.charts.heat_map import Panel as Panel
from interp.charts.parts import Table as Table
from interp.errors import DataError, InterpError, RequestError

Chart = HeatMap | Curves | Forest | Bars


def floats(values: Iterable[SupportsFloat]) -> tuple[float, ...]:
    """Numbers of any kind, numpy's too, as the floats that a chart holds."""
    return tuple(map(float, values))


def describe(chart: Chart) -> str:
    """What the chart shows, in words and from its data: the text for those who do not see it."""
    sentences = [chart.title, *chart.says(), chart.note]
    said = [sentence.strip().rstrip(".") for sentence in sentences]
    return " ".join(f"{sentence}." for sentence in said if sentence)


def table(chart: Chart) -> Table:
    """The numbers of the chart, as they stand under it."""
    return chart.table()


def to_json(chart: Chart) -> dict[str, Any]:
    """The chart in JSON's own types, checked to come back as it was.

    Raises:
        RequestError: it holds something that is neither a text, a number nor a tuple.
    """
    try:
        plain: dict[str, Any] = msgspec.to_builtins(chart)
        if msgspec.convert(plain, Chart) == chart:
            return plain
        problem = "it does not come back as it was"
    except (TypeError, msgspec.ValidationError) as error:
        problem = str(error)
    raise RequestError(
        "a chart holds texts, numbers and tuples only",
        received=problem,
        hint="interp.charts.floats(values) makes them of an array",
    )


def from_json(row: object) -> Chart:
    """The chart that `to_json` wrote.

    Raises:
        DataError: it is none.
    """
    try:
        chart: Chart = msgspec.convert(row, Chart)
    except (msgspec.ValidationError, InterpError) as error:
        raise DataError("this is no chart", received=str(error).partition("\n")[0]) from None
    return chart
