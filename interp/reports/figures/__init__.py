"""Charts drawn for print and for the page: SVG and PDF whose bytes are the same wherever they are.

matplotlib is loaded when the first figure is drawn.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from interp.charts import Chart
from interp.reports.journal import replace_file

UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST: Final = 80


def svg(chart: Chart) -> bytes:
    """The chart as an SVG image that loads nothing and runs nothing."""
    from interp.reports.figures.drawing import rendered  # noqa: PLC0415  matplotlib, half a second

    return rendered(chart, "svg")


def page_svg(chart: Chart) -> bytes:
    """The chart as a smaller SVG image, with its words as text."""
    from interp.reports.figures.drawing import worded  # noqa: PLC0415  matplotlib, half a second

    return worded(chart)


def pdf(chart: Chart) -> bytes:
    """The chart as a PDF page, with its fonts in it."""
    from interp.reports.figures.drawing import rendered  # noqa: PLC0415  matplotlib, half a second

    return rendered(chart, "pdf")


def save(folder: Path, name: str, chart: Chart) -> tuple[Path, Path]:
    """Write the chart as SVG and PDF under a name that is safe as a file's; both paths."""
    stem = file_stem(name)
    paths = folder / f"{stem}.svg", folder / f"{stem}.pdf"
    for path, draw in zip(paths, (svg, pdf), strict=True):
        replace_file(path, draw(chart))
    return paths


def file_stem(name: str) -> str:
    """The name as a file may be called: itself where it can be, else told apart by its hash."""
    safe = UNSAFE.sub("-", name).strip(".-")[:LONGEST]
    if safe and safe == name:
        return safe
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{safe}-{digest}" if safe else digest
