"""The figures of a spec: drawn, told in words, and with their numbers below."""

from base64 import b64encode
from typing import Final

from interp.reports.page.escaping import Anchors, cut
from interp.reports.page.view import Figure, Table
from interp.reports.record import Case, Drawn
from interp.reports.text import number

MOST_BYTES: Final = 2_000_000  # of all images: a page has 5 MB
MOST_ROWS: Final = 200
MOST_WORDS: Final = 1500
FOLDER: Final = "figures"


def file_of(drawn: Drawn, case: Case) -> str:
    """The name of a figure's files, without their endings."""
    from interp.reports.figures import file_stem  # noqa: PLC0415  only where there are figures

    words = (case.spec_id, case.params, drawn.model or "", drawn.name)
    return file_stem(".".join(word for word in words if word))


class Pictures:
    """Draws figures until the page is full; one that cannot be drawn says why."""

    def __init__(self, anchors: Anchors) -> None:
        self._anchors = anchors
        self._room = MOST_BYTES

    def figure(self, drawn: Drawn, case: Case, model: str) -> Figure:
        """A chart of the journal as it stands on the page."""
        anchor = self._anchors.new("figure", case.spec_id, case.params, drawn.name, model)
        stem = file_of(drawn, case)
        try:
            return self._drawn(drawn, anchor, stem)
        except Exception as error:  # noqa: BLE001  one bad chart must not cost the page
            why = str(error).partition("\n")[0]
            return Figure(anchor, drawn.name, problem=f"could not be drawn: {cut(why, 300)}")

    def _drawn(self, drawn: Drawn, anchor: str, stem: str) -> Figure:
        from interp import charts  # noqa: PLC0415  only where there are figures
        from interp.reports import figures  # noqa: PLC0415  likewise

        chart = charts.from_json(drawn.chart)
        numbers = charts.table(chart)
        image = figures.svg(chart)
        rows = tuple(tuple(number(cell) for cell in row) for row in numbers.rows[:MOST_ROWS])
        table = Table(tuple(map(str, numbers.head)), rows, max(0, len(numbers.rows) - MOST_ROWS))
        files = f"{FOLDER}/{stem}.svg"
        alt = cut(charts.describe(chart), MOST_WORDS)
        if len(image) * 4 / 3 > self._room:
            return Figure(anchor, chart.title, "", alt, table, files, "is left out of this page")
        self._room -= len(image) * 4 // 3
        uri = f"data:image/svg+xml;base64,{b64encode(image).decode()}"
        return Figure(anchor, chart.title, uri, alt, table, files)
