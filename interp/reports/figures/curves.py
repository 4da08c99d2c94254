"""How curves are drawn: marks, dashes and bars of their intervals, controls as a band behind."""

from typing import Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interp.charts import Curves, Line, Plot
from interp.reports.figures.style import (
    GREY,
    LETTER,
    LETTERS,
    LOOKS,
    PALE,
    WIDTH,
    Look,
    apart,
    breadth,
    explain,
    lean_back,
    name_ticks,
    new_figure,
    plain_number,
    short,
    spaced,
    thinned,
)

HEIGHT: Final = 1.45  # inches of one plot
SHARE: Final = 0.25  # a share that reaches this is shown on an axis from 0 to 1
MANY: Final = 40  # so many points of a line are drawn without marks, and with a band
HEAVY: Final = 400  # so many points in a plot are drawn as pixels
ASIDE: Final = 0.1  # between points that no line joins
HATCHES: Final = ("", "////", "\\\\\\\\", "xxxx")
NAMED: Final = 16
LONGEST_NAME: Final = 24
PAD: Final = 0.04


def draw(chart: Curves) -> Figure:
    """The plots one above the other."""
    names = max((breadth(short(name, LONGEST_NAME)) for name in chart.ticks), default=0.0)
    height = HEIGHT * len(chart.plots) + 0.45 + 0.6 * names * LETTER
    figure = new_figure(height, title=chart.title, note=chart.note)
    column = figure.subplots(len(chart.plots), 1, squeeze=False, sharex=True)[:, 0]
    for axes, plot in zip(column, chart.plots, strict=True):
        _plot(axes, plot)
        axes.set_ylabel(short(plot.up, LETTERS // 2))
    figure.align_ylabels()
    _across(column[-1], chart)
    return figure


def _plot(axes: Axes, plot: Plot) -> None:
    controls = [line for line in plot.lines if line.role == "control"]
    measured = [line for line in plot.lines if line.role != "control"]
    keys = [_control(axes, line, HATCHES[i % len(HATCHES)]) for i, line in enumerate(controls)]
    for index, (line, look) in enumerate(zip(measured, LOOKS, strict=False)):
        aside = 0.0 if line.joined else ASIDE * (index - (len(measured) - 1) / 2)
        keys.append(_measured(axes, line, look, aside))
    if sum(len(line.x) for line in plot.lines) > HEAVY:
        for artist in (*axes.lines, *axes.collections):
            artist.set_rasterized(True)
    _limits(axes, plot)
    if len(plot.lines) > 1:
        explain(axes, keys, [line.name for line in (*controls, *measured)])


def _control(axes: Axes, line: Line, hatch: str) -> tuple[Artist, ...]:
    """The band and its middle; both, for the legend."""
    (middle,) = axes.plot(line.x, line.y, color=GREY, linestyle=(0, (2, 1.5)), lw=0.9)
    if not line.low:
        return (middle,)
    band = axes.fill_between(line.x, line.low, line.high, facecolor=PALE, lw=0, hatch=hatch)
    return band, middle


def _measured(axes: Axes, line: Line, look: Look, aside: float) -> tuple[Artist, ...]:
    """The curve, with a bar at each point, or with a band where there are too many of them."""
    colour, mark, dashes = look
    x = [place + aside for place in line.x]
    few = len(line.x) <= MANY
    (curve,) = axes.plot(x, line.y, color=colour, linestyle=dashes, zorder=3)
    curve.set_marker(mark if few else "none")
    if not line.joined:
        curve.set_linestyle("none")
    if line.low and few:
        axes.vlines(x, line.low, line.high, colors=colour, lw=0.8, zorder=2.5)
    elif line.low:
        axes.fill_between(x, line.low, line.high, facecolor=colour, alpha=0.25, lw=0)
    return (curve,)


def _limits(axes: Axes, plot: Plot) -> None:
    numbers = plot.numbers()
    low, high = min(numbers), max(numbers)
    if plot.scale == "linear" and low >= 0 and SHARE <= high <= 1:
        low, high = 0.0, 1.0
    elif plot.scale == "linear" and 0 < low < high / 2:
        low = 0.0
    if low < 0 < high:
        axes.axhline(0, color=PALE, lw=0.6, zorder=0)
    ticks = _scaled(axes, "y", (low, high), log=plot.scale == "log")
    name_ticks(axes, "y", ticks, [plain_number(tick) for tick in ticks])


def _across(axes: Axes, chart: Curves) -> None:
    axes.set_xlabel(short(chart.across, LETTERS))
    if not chart.ticks:
        every = [x for line in chart.lines() for x in line.x]
        ticks = _scaled(axes, "x", (min(every), max(every)), log=chart.scale == "log")
        name_ticks(axes, "x", ticks, [plain_number(tick) for tick in ticks])
        return
    axes.set_xlim(-0.3, len(chart.ticks) - 0.7)
    places = thinned(len(chart.ticks), NAMED)
    names = [short(chart.ticks[i], LONGEST_NAME) for i in places]
    name_ticks(axes, "x", places, names)
    lean_back(axes, names, room=0.8 * WIDTH)


def _scaled(axes: Axes, side: str, ends: tuple[float, float], *, log: bool) -> tuple[float, ...]:
    """Set the scale and the ends of an axis, with a little air; its ticks."""
    low, high = ends
    scale = axes.set_yscale if side == "y" else axes.set_xscale
    limit = axes.set_ylim if side == "y" else axes.set_xlim
    if log:
        scale("log")
        low, high = (low / 3, high * 3) if low == high else (low, high)
        air = (high / low) ** PAD
        limit(low / air, high * air)
        return spaced(low / air, high * air, log=True)
    low, high = apart(low, high)
    air = (high - low) * PAD
    limit(low - air, high + air)
    return spaced(low, high, log=False)
