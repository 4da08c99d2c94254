"""From a chart to the bytes of an image."""

import io
import re
from typing import Final, Literal

import matplotlib as mpl
from matplotlib.figure import Figure

from interp.charts import Bars, Chart, Curves, HeatMap
from interp.reports.figures import bars, curves, forest, heat_map
from interp.reports.figures.style import in_our_font, ours

UNDATED: Final = {
    "svg": {"Creator": None, "Date": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
# What an SVG says besides its picture: comments that repeat its texts, metadata, names of groups.
SPOKEN: Final = re.compile(
    r'<!--.*?-->|<!DOCTYPE.*?>|<metadata>.*?</metadata>| id="\w+?_\d+"', re.DOTALL
)
PIXELS: Final = re.compile(r'(?<=base64,)[^"]+')
PATHS: Final = re.compile(r'(?<= d=")[^"]+')
COMMANDS: Final = re.compile(r" ?([MLQCz]) ?")
SHORTER: Final = (
    (re.compile(r"\s*\n\s*"), " "),
    (re.compile(r"> <"), "><"),
    (re.compile(r"<g/>"), ""),
    (re.compile(r'(?<=["#])DejaVuSans-'), "g"),  # a glyph, by its number
    (re.compile(r"(?<=translate\()(-?\d+(?:\.\d\d?)?)\d* (-?\d+(?:\.\d\d?)?)\d*"), r"\1 \2"),
)


# What a picture on a page can do without: digits below a hundredth of a point, rare fonts.
SMALLER: Final = (
    (re.compile(r"(\d\.\d\d)\d+"), r"\1"),
    (re.compile(r"font-family: [^;\"]*"), "font-family: 'DejaVu Sans', Verdana, sans-serif"),
)


def rendered(chart: Chart, form: Literal["svg", "pdf"]) -> bytes:
    """The image; one chart has the same bytes in every process and at every time."""
    image = _image(chart, form)
    return image if form == "pdf" else lean(image)


def worded(chart: Chart) -> bytes:
    """The image as SVG with its words as text, a third as large; the reader's font sets them."""
    text = lean(_image(chart, "svg", fonttype="none")).decode()
    for pattern, instead in SMALLER:
        text = pattern.sub(instead, text)
    return text.encode()


def _image(chart: Chart, form: Literal["svg", "pdf"], *, fonttype: str = "path") -> bytes:
    held = io.BytesIO()
    with ours():
        mpl.rcParams["svg.fonttype"] = fonttype
        figure = drawn(chart)
        in_our_font(figure)
        figure.savefig(held, format=form, metadata=UNDATED[form])
    return held.getvalue()


def drawn(chart: Chart) -> Figure:
    """The figure of a chart of any kind."""
    if isinstance(chart, HeatMap):
        return heat_map.draw(chart)
    if isinstance(chart, Curves):
        return curves.draw(chart)
    if isinstance(chart, Bars):
        return bars.draw(chart)
    return forest.draw(chart)


def lean(svg: bytes) -> bytes:
    """The same picture in half the bytes, and without any text that a model wrote."""
    text = SPOKEN.sub("", svg.decode())
    text = PIXELS.sub(lambda found: "".join(found[0].split()), text)
    for pattern, instead in SHORTER:
        text = pattern.sub(instead, text)
    text = PATHS.sub(lambda found: COMMANDS.sub(r"\1", found[0]), text)
    return text.encode() + b"\n"
