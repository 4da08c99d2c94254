"""How a heat map is drawn: cells with their numbers where there is room, holes hatched."""

from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from interp.charts import HeatMap, Panel
from interp.reports.figures.style import (
    GREY,
    LETTER,
    LETTERS,
    PALE,
    SMALLEST,
    WIDTH,
    apart,
    breadth,
    lean_back,
    name_ticks,
    new_figure,
    plain_number,
    short,
    spaced,
    thinned,
    tight,
)

SMALL: Final = 0.62 * SMALLEST / 72  # inches of the smallest letter that we print
ROOM: Final = (0.13, 0.24)  # least and most height of a cell, in inches
MOST_HEIGHT: Final = 3.2
LONGEST_NAME: Final = 14
# Even steps of lightness; on a logarithmic scale, which ranks have, the lowest is the brightest.
COLOURS: Final = {"linear": "viridis", "log": "viridis_r", "around zero": "RdBu_r"}
SEPARATE: Final = 500  # so many cells are set apart by white lines
DARK: Final = 0.45  # luminance under which white letters are read better


def draw(chart: HeatMap) -> Figure:
    """The panels beside each other where their cells stay wide enough, else below each other."""
    n, columns = len(chart.panels), len(chart.columns)
    names = max(breadth(short(row, LONGEST_NAME)) for row in chart.rows)
    free = WIDTH - 0.7 - names * LETTER
    beside = n > 1 and free / (n * columns) >= ROOM[0]
    width = free / (columns * (n if beside else 1))
    height = min(max(ROOM[0], min(width, ROOM[1])) * len(chart.rows), MOST_HEIGHT)
    rows = 1 if beside else n
    figure = new_figure(rows * (height + 0.1) + 0.95, title=chart.title, note=chart.note)
    grid = figure.subplots(
        rows, n // rows, squeeze=False, sharex=True, sharey=True, gridspec_kw={"hspace": 0.02}
    )
    axes = list(grid.flat)
    norm = (LogNorm if chart.scale == "log" else Normalize)(*_ends(chart))
    colours = mpl.colormaps[COLOURS[chart.scale]]
    images = [
        _panel(each, chart, panel, norm=norm, colours=colours, width=width)
        for each, panel in zip(axes, chart.panels, strict=True)
    ]
    for each in grid[:, 0]:
        each.set_ylabel(short(chart.up, LETTERS))
    for each in grid[-1]:
        each.set_xlabel(short(chart.across, LETTERS // (n if beside else 1)))
    _key(figure, axes, images[0], chart)
    return figure


def _panel(
    axes: Axes, chart: HeatMap, panel: Panel, *, norm: Normalize, colours: Colormap, width: float
) -> AxesImage:
    values = np.array(panel.cells, dtype=np.float64)
    values = np.ma.masked_invalid(values)
    axes.patch.set(facecolor="#f2f2f2", hatch="/////", edgecolor=PALE)
    image = axes.imshow(values, origin="lower", aspect="auto", cmap=colours, norm=norm)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=2)
    axes.set_title(short(panel.name, LETTERS), fontsize=7, loc="left", pad=3)
    columns = thinned(len(chart.columns), int(width * len(chart.columns) / ROOM[0]))
    names = [short(chart.columns[i], LONGEST_NAME) for i in columns]
    name_ticks(axes, "x", columns, names)
    lean_back(axes, names, room=width * len(chart.columns))
    rows = thinned(len(chart.rows), int(MOST_HEIGHT / ROOM[0]))
    name_ticks(axes, "y", rows, [short(chart.rows[i], LONGEST_NAME) for i in rows])
    if values.size <= SEPARATE:
        axes.hlines(np.arange(1, len(chart.rows)) - 0.5, *axes.get_xlim(), colors="w", lw=0.6)
        axes.vlines(np.arange(1, len(chart.columns)) - 0.5, *axes.get_ylim(), colors="w", lw=0.6)
        _write(axes, panel, image, letters=int(width / SMALL))
    return image


def _write(axes: Axes, panel: Panel, image: AxesImage, *, letters: int) -> None:
    """The number or the word of each cell, if every number has room."""
    written = [
        (row, column, _told(panel, row, column, letters))
        for row, cells in enumerate(panel.cells)
        for column in range(len(cells))
    ]
    if max(breadth(text) for _, _, text in written) > letters:
        return
    for row, column, text in written:
        cell = panel.cells[row][column]
        shade = GREY if cell is None else _ink(image, cell)
        axes.text(
            column, row, text, ha="center", va="center_baseline", fontsize=SMALLEST, color=shade
        )


def _told(panel: Panel, row: int, column: int, letters: int) -> str:
    cell = panel.cells[row][column]
    if panel.words:
        return short(panel.words[row][column].strip(), letters)
    return "" if cell is None else tight(cell)


def _ink(image: AxesImage, cell: float) -> str:
    red, green, blue, _ = image.cmap(image.norm(np.array(cell)))
    return "w" if 0.299 * red + 0.587 * green + 0.114 * blue < DARK else "k"


def _ends(chart: HeatMap) -> tuple[float, float]:
    """The numbers that the first and the last colour stand for; never the same."""
    numbers = [cell for panel in chart.panels for cell, _ in chart.places(panel)]
    low, high = min(numbers), max(numbers)
    if chart.scale == "log":
        return low, max(high, low * 10)
    if chart.scale == "around zero":
        far = max(abs(low), abs(high), 1e-90)
        return -far, far
    return apart(min(low, 0.0), high)


def _key(figure: Figure, axes: list[Axes], image: AxesImage, chart: HeatMap) -> None:
    ticks = spaced(*_ends(chart), log=chart.scale == "log", most=5)
    bar = figure.colorbar(image, ax=axes, aspect=25, pad=0.02, fraction=0.06)
    name_ticks(bar.ax, "y", ticks, [plain_number(tick) for tick in ticks])
    bar.outline.set_visible(False)
    bar.set_label(short(chart.quantity, LETTERS), fontsize=6.5)
