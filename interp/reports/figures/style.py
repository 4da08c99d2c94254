"""How our figures look: one column wide, legible in grey, nothing that says nothing."""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, MaxNLocator

from interp.reports.text import HARMFUL, plain

WIDTH: Final = 3.3  # inches, a column of a paper
LETTERS: Final = 58  # of a title, in that width
MIDDLING: Final = 0.6  # of the size of a letter, the width of a middling one
LONGEST: Final = 200  # letters of a text that are looked at
SMALLEST: Final = 5.0  # points
LETTER: Final = 0.056  # inches of a letter beside an axis
GREY: Final = "#595959"  # 7:1 on white
PALE: Final = "#d9d9d9"
ELLIPSIS: Final = "\u2026"
MINUS: Final = "\u2212"
# Okabe and Ito's colours, the dark ones first; marks and dashes say the same without colour.
Look = tuple[str, str, str | tuple[int, tuple[float, ...]]]
LOOKS: Final[tuple[Look, ...]] = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", (0, (4, 1.2))),
    ("#009E73", "^", (0, (1, 1))),
    ("#000000", "D", (0, (4, 1, 1, 1))),
    ("#CC79A7", "v", (0, (6, 2))),
    ("#E69F00", "P", (0, (2, 1))),
    ("#56B4E9", "X", (0, (6, 1, 1, 1, 1, 1))),
    ("#F0E442", "*", (0, (3, 3))),
)
RULES: Final[Any] = {  # matplotlib types its rules by their names
    "axes.edgecolor": GREY,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "errorbar.capsize": 0,
    "figure.constrained_layout.use": True,
    "figure.dpi": 200,
    "font.size": 7,
    "hatch.color": "#bdbdbd",
    "hatch.linewidth": 0.4,
    "image.interpolation": "nearest",
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "path.simplify": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "interp",
    "text.parse_math": False,
    "xtick.labelsize": 6.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 6.5,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}


@contextmanager
def ours() -> Iterator[None]:
    """Our rules and no others, whatever the user has set; theirs again afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RULES)
        yield


def new_figure(height: float, *, title: str, note: str) -> Figure:
    """An empty figure of one column, its title above and its note below."""
    heading, foot = folded(title, LETTERS), folded(note, LETTERS + 12)
    lines = heading.count("\n") + foot.count("\n")
    figure = Figure(figsize=(WIDTH, height + 0.12 * lines))
    if heading:
        figure.suptitle(heading, x=0.015, ha="left", fontsize=7.5)
    if foot:
        figure.supxlabel(foot, x=0.015, ha="left", fontsize=6, color=GREY)
    return figure


def readable(text: object) -> str:
    """The text in one line of letters that our font has; what it has not is a box."""
    return "".join(letter if ord(letter) in _letters() else "\ufffd" for letter in plain(text))


def folded(text: str, width: int, *, most: int = 4) -> str:
    """The text as `readable`, broken into at most `most` lines."""
    return "\n".join(wrap(readable(text), width, max_lines=most, placeholder=f" {ELLIPSIS}"))


def short(text: object, letters: float) -> str:
    """The text as `readable`, cut to the width of so many letters."""
    whole = readable(text)[:LONGEST]
    if breadth(whole) <= letters:
        return whole
    kept = whole
    while kept and breadth(kept + ELLIPSIS) > letters:
        kept = kept[:-1]
    return kept + ELLIPSIS


def breadth(text: str) -> float:
    """How wide a text is, counted in letters of middling width."""
    return sum(map(_advance, text)) / MIDDLING


def tight(number: float) -> str:
    """A number for a place without room: `.41`, `1`, `1.4`, `140`, `1e+05`."""
    size = abs(number)
    form = ".2f" if size < 1 else ".1f" if size < 10 else ".0f" if size < 10_000 else ".0e"  # noqa: PLR2004  of digits
    text = f"{number:{form}}".removesuffix(".00").removesuffix(".0")
    return (
        text.replace("-0.", "-.")
        .removeprefix("0" if text.startswith("0.") else "")
        .replace("-", MINUS)
    )


def apart(low: float, high: float) -> tuple[float, float]:
    """Two ends of an axis, moved apart where all that it shows is one number."""
    if high - low > 1e-9 * max(abs(low), abs(high), 1e-90):
        return low, high
    half = abs(low) / 2 or 0.5
    return low - half, high + half


def spaced(low: float, high: float, *, log: bool, most: int = 6) -> tuple[float, ...]:
    """Round numbers between two ends, for the ticks of an axis."""
    locator = LogLocator(numticks=most) if log else MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
    slack = 1e-9 * (high - low)
    found = locator.tick_values(low, high)
    return tuple(float(tick) for tick in found if low - slack <= tick <= high + slack)


def plain_number(number: float) -> str:
    """A tick as people write it: no more digits than it has, and a real minus."""
    return f"{number:.6g}".replace("-", MINUS)


def in_our_font(figure: Figure) -> None:
    """Set every text in the font that matplotlib brings along, not in one that is installed."""
    for text in figure.findobj(Text):
        text.set_fontproperties(_at(float(text.get_fontsize())))


def name_ticks(axes: Axes, side: str, places: Sequence[float], names: Sequence[object]) -> None:
    """Put names at places of the horizontal ("x") or the vertical ("y") axis, and nothing else."""
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_ticks(list(places), [readable(name) for name in names])
    axis.set_ticks([], minor=True)


def explain(axes: Axes, keys: Sequence[Any], names: Sequence[str]) -> None:
    """A legend above the axes, in as many columns as its names leave room for."""
    told = [short(name, LETTERS - 10) for name in names]
    columns = max(1, min(4, int(LETTERS / (max(map(breadth, told)) + 8))))
    axes.legend(
        keys, told, ncols=min(columns, len(names)),
        loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2,
        handlelength=2.6, columnspacing=1.2, labelspacing=0.25,
    )  # fmt: skip


def lean_back(axes: Axes, names: Sequence[str], *, room: float) -> None:
    """Turn the names under an axis where they would run into each other in `room` inches."""
    touching = [(breadth(one) + breadth(other)) / 2 + 1 for one, other in pairwise(names)]
    if max(touching, default=0) * LETTER > room / len(names):
        for label in axes.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")


def thinned(count: int, most: int) -> range:
    """Every so many of `count` places, so that at most `most` are named."""
    return range(0, count, -(-count // most))


def _at(size: float) -> FontProperties:
    return FontProperties(fname=_font_file(), size=size)


@cache
def _font_file() -> Path:
    return Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@cache
def _advance(letter: str) -> float:
    """How far a letter of our font moves the pen, in parts of its size."""
    font = get_font(str(_font_file()))
    font.set_size(100, 72)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / 100


@cache
def _letters() -> frozenset[int]:
    """The letters that our font has and that stand where they are written."""
    return frozenset(
        code
        for code in get_font(str(_font_file())).get_charmap()
        if unicodedata.category(chr(code)) not in HARMFUL
        and unicodedata.bidirectional(chr(code)) not in {"R", "AL"}
    )
