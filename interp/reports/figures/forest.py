"""How a forest plot is drawn: a filled mark for what was measured, a hollow one for a paper's."""

from collections.abc import Sequence
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interp.charts import Forest, Interval, Row
from interp.reports.figures.style import (
    GREY,
    LETTERS,
    LOOKS,
    PALE,
    apart,
    explain,
    name_ticks,
    new_figure,
    plain_number,
    short,
    spaced,
)

LINE: Final = 0.145  # inches
LONGEST_NAME: Final = 34
ASIDE: Final = 0.22  # of a line, between what was measured and what was published


def draw(chart: Forest) -> Figure:
    """One line a value, under the name of its group."""
    lines = _lines(chart.rows)
    figure = new_figure(LINE * len(lines) + 0.75, title=chart.title, note=chart.note)
    axes = figure.subplots()
    _scale(axes, chart)
    axes.set_ylim(len(lines) - 0.4, -0.7)
    for place, line in enumerate(lines):
        if isinstance(line, Row):
            _row(axes, place, line)
    _names(axes, lines)
    _legend(axes, chart)
    axes.set_xlabel(short(chart.across, LETTERS))
    return figure


def _lines(rows: Sequence[Row]) -> list[Row | str]:
    """The rows, with the name of a group before its first."""
    lines: list[Row | str] = []
    group = ""
    for row in rows:
        if row.group != group:
            lines.append(row.group)
        group = row.group
        lines.append(row)
    return lines


def _row(axes: Axes, place: int, row: Row) -> None:
    colour, mark, _ = LOOKS[0]
    aside = ASIDE if row.published else 0.0
    _bar(axes, place - aside, row.measured, colour, "-")
    axes.plot(row.measured.value, place - aside, mark, color=colour)
    if row.published:
        _bar(axes, place + aside, row.published, "k", "--")
        axes.plot(row.published.value, place + aside, "D", color="k", mfc="w", mew=0.8, ms=3)


def _bar(axes: Axes, place: float, one: Interval, colour: str, dashes: Literal["-", "--"]) -> None:
    if one.low is not None and one.high is not None:
        axes.hlines(place, one.low, one.high, colors=colour, lw=1.0, linestyles=dashes)


def _scale(axes: Axes, chart: Forest) -> None:
    shown = [one for row in chart.rows for one in (row.measured, row.published) if one]
    numbers = [n for one in shown for n in (one.value, one.low, one.high) if n is not None]
    low, high = min(numbers), max(numbers)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    low, high = apart(low, high)
    air = 0.03 * (high - low)
    axes.set_xlim(low - air, high + air)
    ticks = spaced(low, high, log=False, most=5)
    name_ticks(axes, "x", ticks, [plain_number(tick) for tick in ticks])
    axes.vlines(ticks, 0, 1, transform=axes.get_xaxis_transform(), colors=PALE, lw=0.5, zorder=0)


def _names(axes: Axes, lines: Sequence[Row | str]) -> None:
    names = [line.name if isinstance(line, Row) else line for line in lines]
    name_ticks(axes, "y", range(len(lines)), [short(name, LONGEST_NAME) for name in names])
    axes.tick_params(axis="y", length=0, pad=2)
    axes.spines["left"].set_visible(False)
    for label, line in zip(axes.get_yticklabels(), lines, strict=True):
        label.set(fontsize=6 if isinstance(line, Row) else 6.5)
        label.set_color(GREY if isinstance(line, Row) else "k")


def _legend(axes: Axes, chart: Forest) -> None:
    if not any(row.published for row in chart.rows):
        return
    colour, mark, _ = LOOKS[0]
    (ours,) = axes.plot([], [], mark, color=colour)
    (theirs,) = axes.plot([], [], "D", color="k", mfc="w", mew=0.8, ms=3)
    explain(axes, [ours, theirs], ["measured", "published"])
