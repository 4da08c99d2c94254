"""From runs to the page as a value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from interp.reports.page.around import run_of
from interp.reports.page.elsewhere import Elsewhere, Key, compared_of, key_of
from interp.reports.page.escaping import Anchors, cut
from interp.reports.page.links import links
from interp.reports.page.numbers import axis_of, number_of
from interp.reports.page.pictures import Pictures
from interp.reports.page.rows import Rows
from interp.reports.page.sizes import sizes_of
from interp.reports.page.told import Board, Column, Href, State, Told, board_of, columns_of
from interp.reports.page.view import Figure, Link, Number, Page, Run, Section
from interp.reports.published import Published
from interp.reports.scaling import scales_of

MOST_VALUES: Final = 2500
MOST_EDITS: Final = 3000
MOST_TEXT: Final = 1500
TAKEN: Final = (
    "top",
    "scaling",
    "matrix",
    "moved",
    "findings",
    "instruments",
    "provenance",
    "reproduce",
)


def page_of(runs: Sequence[Told], published: Mapping[str, Published], href: Href) -> Page:
    """Everything that is known of the runs, in the order in which it is read."""
    columns, anchors = columns_of(runs), Anchors()
    board = board_of(runs, columns)
    for name in (*TAKEN, *(f"{name}-head" for name in TAKEN)):
        anchors.new(name)
    rows = Rows(runs, columns, href)
    instruments = rows.instruments(board, anchors)
    pictures = Pictures(anchors)
    overview = tuple(one for told in runs for one in pictures.overview(told, published))
    maker = Sections(rows, anchors, [Elsewhere(told, published) for told in runs], pictures)
    sections = tuple(maker.sections(board))
    values = sum(len(told.record.values) for told in runs)
    return Page(
        _title(columns),
        tuple(_run(place, told, maker, anchors) for place, told in enumerate(runs)),
        tuple(column.label for column in columns),
        tuple(section.row for section in sections),
        rows.folded(instruments),
        sections,
        instruments,
        values - sum(len(section.numbers) for section in sections),
        overview,
        tuple(sizes_of(scales_of([told.record for told in runs], published), sections)),
    )


class Sections:
    """Makes a section for each finding, and remembers where each value has its place."""

    def __init__(
        self, rows: Rows, anchors: Anchors, elsewhere: Sequence[Elsewhere], pictures: Pictures
    ) -> None:
        self.places: dict[tuple[int, Key], str] = {}
        self._rows = rows
        self._said: dict[object, Link] = {}
        self._room = MOST_EDITS
        self._anchors = anchors
        self._elsewhere = elsewhere
        self._pictures = pictures

    def sections(self, board: Board) -> Iterator[Section]:
        """A section for each finding, and for whatever else measured something."""
        for key, states in board.items():
            measured = [value for state in states.values() for value in state.values]
            if not measured and key.role not in {"finding", "spec"}:
                continue
            row = self._rows.row(key, states, self._anchors.new(key.spec_id, key.params))
            case = next(iter(states.values())).case
            axis = axis_of(measured)
            section = Section(
                row,
                key.version,
                cut(case.claim, MOST_TEXT),
                links(cut(case.source, MOST_TEXT)),
                cut(case.differs, MOST_TEXT),
                tuple(self._numbers(states)),
                tuple(self._figures(states)),
                f"{axis[0]:g} to {axis[1]:g}" if axis else "",
            )
            yield self._said_once(section)

    def _said_once(self, section: Section) -> Section:
        """The section, by its own name where another one has told the claim and its source."""
        said = (section.claim, section.source, section.differs)
        first = self._said.setdefault(said, Link(section.row.name, f"#{section.row.anchor}"))
        if not any(said) or first.text == section.row.name:
            return section
        own = f"{section.row.said[:1].upper()}{section.row.said[1:]}."
        return replace(section, claim=own, source=(), differs="", as_for=first)

    def _figures(self, states: Mapping[Column, State]) -> Iterator[Figure]:
        for column, state in states.items():
            for drawn in state.charts:
                yield self._pictures.figure(drawn, state.case, column.label)

    def _numbers(self, states: Mapping[Column, State]) -> Iterator[Number]:
        axis = axis_of([value for state in states.values() for value in state.values])
        for column, state in states.items():
            for value in state.values:
                if len(self.places) >= MOST_VALUES:
                    return
                aside = self._elsewhere[column.run].of(value)
                number = number_of(value, state, column.label, axis, self._anchors, aside)
                self.places[column.run, key_of(value)] = number.anchor
                yield self._within_the_room(number)

    def _within_the_room(self, number: Number) -> Number:
        """The number with as much of its ledger as the page still has room for."""
        edits = number.edits[: self._room]
        self._room -= len(edits)
        left_out = number.edits_left_out + len(number.edits) - len(edits)
        return replace(number, edits=edits, edits_left_out=left_out)


def _run(place: int, told: Told, made: Sections, anchors: Anchors) -> Run:
    places = {key: anchor for (run, key), anchor in made.places.items() if run == place}
    compared = compared_of(told.comparison, places) if told.comparison else None
    return run_of(told, anchors.new("run", told.record.folder.name), compared)


def _title(columns: Sequence[Column]) -> str:
    models = list(dict.fromkeys(column.model for column in columns if column.model))
    named = ", ".join(models[:3]) + (f" and {len(models) - 3} more" if len(models) > 3 else "")  # noqa: PLR2004
    return f"Findings on {named}" if models else "Findings"
