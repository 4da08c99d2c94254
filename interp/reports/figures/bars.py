"""How stacked bars are drawn: each part with a colour and a hatch of its own."""

from typing import Final

from matplotlib.figure import Figure

from interp.charts import Bars
from interp.reports.figures.style import (
    LETTER,
    LETTERS,
    LOOKS,
    WIDTH,
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

HEIGHT: Final = 1.7  # inches
# Told apart in grey too. Lines only: a hatch of dots is half a megabyte.
HATCHES: Final = ("", "////", "\\\\\\\\", "xxxx", "----", "||||", "++++", "//")
NAMED: Final = 20
LONGEST_NAME: Final = 24


def draw(chart: Bars) -> Figure:
    """One bar a column, the first part at its foot."""
    names = [short(name, LONGEST_NAME) for name in chart.columns]
    height = HEIGHT + 0.6 * max(map(breadth, names)) * LETTER
    figure = new_figure(height, title=chart.title, note=chart.note)
    axes = figure.subplots()
    foot, keys = [0.0] * len(names), []
    for part, hatch, (colour, _, _) in zip(chart.parts, HATCHES, LOOKS, strict=False):
        keys.append(axes.bar(
            range(len(names)), part.sizes, 0.75, foot,
            facecolor=colour, hatch=hatch, edgecolor="w", lw=0.5,
        ))  # fmt: skip
        foot = [below + size for below, size in zip(foot, part.sizes, strict=True)]
    axes.set_ylim(0, 1.02 * max(foot))
    ticks = spaced(0, max(foot), log=False)
    name_ticks(axes, "y", ticks, [plain_number(tick) for tick in ticks])
    places = thinned(len(names), NAMED)
    name_ticks(axes, "x", places, [names[place] for place in places])
    lean_back(axes, [names[place] for place in places], room=0.8 * WIDTH)
    axes.set_xlabel(short(chart.across, LETTERS))
    axes.set_ylabel(short(chart.up, LETTERS // 2))
    explain(axes, keys, [part.name for part in chart.parts])
    return figure
