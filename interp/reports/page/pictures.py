"""The figures of a spec: drawn, told in words, and with their numbers below."""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from interp.reports.page.escaping import Anchors, cut
from interp.reports.page.told import Told
from interp.reports.page.view import Figure, Table
from interp.reports.published import Published
from interp.reports.record import Case, Drawn
from interp.reports.text import number

if TYPE_CHECKING:
    from interp.charts import Chart

MOST_BYTES: Final = 2_000_000  # of all images: a page has 5 MB
MOST_ROWS: Final = 200
MOST_CELL: Final = 200
MOST_OVERVIEW: Final = 12
MOST_WORDS: Final = 1500
FOLDER: Final = "figures"


def file_of(drawn: Drawn, case: Case) -> str:
    """The name of a figure's files, without their endings."""
    words = (case.spec_id, case.params, drawn.model or "", drawn.name)
    return stem_of(".".join(word for word in words if word))


def stem_of(name: str) -> str:
    """A name as files can have it."""
    from interp.reports.figures import file_stem  # noqa: PLC0415  only where there are figures

    return file_stem(name.replace(" ", "."))


class Pictures:
    """Draws figures until the page is full; one that cannot be drawn says why."""

    def __init__(self, anchors: Anchors) -> None:
        self._anchors = anchors
        self._room = MOST_BYTES

    def figure(self, drawn: Drawn, case: Case, model: str) -> Figure:
        """A chart of the journal as it stands on the page."""
        from interp.charts import from_json  # noqa: PLC0415  only where there are figures

        anchor = self._anchors.new("figure", case.spec_id, case.params, drawn.name, model)
        return self._safe(
            drawn.name, anchor, lambda: (from_json(drawn.chart), file_of(drawn, case))
        )

    def overview(self, told: Told, published: Mapping[str, Published]) -> Iterator[Figure]:
        """The charts that set the values of a run beside each other and beside published ones."""
        from interp.reports.figures.overview import overview  # noqa: PLC0415  likewise

        run = told.record.folder.name
        try:
            found = list(overview(told.record, published).items())[:MOST_OVERVIEW]
        except Exception as error:  # noqa: BLE001  likewise
            yield _undrawn(self._anchors.new("figure", run), "the overview", error)
            return
        for name, chart in found:
            made = partial(_named, chart, name)
            yield self._safe(name, self._anchors.new("figure", name, run), made)

    def _safe(self, name: str, anchor: str, made: "Callable[[], tuple[Chart, str]]") -> Figure:
        try:
            chart, stem = made()
            return self._drawn(chart, anchor, stem)
        except Exception as error:  # noqa: BLE001  one bad chart must not cost the page
            return _undrawn(anchor, name, error)

    def _drawn(self, chart: "Chart", anchor: str, stem: str) -> Figure:
        from interp import charts  # noqa: PLC0415  only where there are figures
        from interp.reports import figures  # noqa: PLC0415  likewise

        numbers = charts.table(chart)
        image = figures.page_svg(chart) if self._room else b""
        rows = tuple(
            tuple(cut(number(cell), MOST_CELL) for cell in row) for row in numbers.rows[:MOST_ROWS]
        )
        table = Table(tuple(map(str, numbers.head)), rows, max(0, len(numbers.rows) - MOST_ROWS))
        files = f"{FOLDER}/{stem}.svg"
        alt = cut(charts.describe(chart), MOST_WORDS)
        if not image or len(image) * 4 / 3 > self._room:
            self._room = 0  # the page is full: what comes after is not drawn in vain
            return Figure(
                anchor,
                cut(chart.title, MOST_CELL),
                "",
                alt,
                table,
                files,
                "is left out of this page",
            )
        self._room -= len(image) * 4 // 3
        uri = f"data:image/svg+xml;base64,{b64encode(image).decode()}"
        return Figure(anchor, cut(chart.title, MOST_CELL), uri, alt, table, files)


def _named(chart: "Chart", name: str) -> "tuple[Chart, str]":
    return chart, stem_of(name)


def _undrawn(anchor: str, name: str, error: Exception) -> Figure:
    why = str(error).partition("\n")[0]
    return Figure(anchor, name, problem=f"could not be drawn: {cut(why, 300)}")
