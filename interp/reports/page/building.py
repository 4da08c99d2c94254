"""From runs to the page as a value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from interp.reports.page.around import run_of
from interp.reports.page.elsewhere import Elsewhere, Key, compared_of, key_of
from interp.reports.page.escaping import Anchors, cut
from interp.reports.page.links import links
from interp.reports.page.numbers import axis_of, number_of
from interp.reports.page.rows import Rows
from interp.reports.page.told import Board, Column, Href, State, Told, board_of, columns_of
from interp.reports.page.view import Number, Page, Run, Section
from interp.reports.published import Published

MOST_VALUES: Final = 2000
MOST_TEXT: Final = 1500
TAKEN: Final = ("top", "matrix", "moved", "findings", "instruments", "provenance", "reproduce")


def page_of(runs: Sequence[Told], published: Mapping[str, Published], href: Href) -> Page:
    """Everything that is known of the runs, in the order in which it is read."""
    columns, anchors = columns_of(runs), Anchors()
    board = board_of(runs, columns)
    for name in (*TAKEN, *(f"{name}-head" for name in TAKEN)):
        anchors.new(name)
    rows = Rows(runs, columns, href)
    instruments = rows.instruments(board, anchors)
    maker = Sections(rows, anchors, [Elsewhere(told, published) for told in runs])
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
    )


class Sections:
    """Makes a section for each finding, and remembers where each value has its place."""

    def __init__(self, rows: Rows, anchors: Anchors, elsewhere: Sequence[Elsewhere]) -> None:
        self.places: dict[tuple[int, Key], str] = {}
        self._rows = rows
        self._anchors = anchors
        self._elsewhere = elsewhere

    def sections(self, board: Board) -> Iterator[Section]:
        """A section for each finding, and for whatever else measured something."""
        for key, states in board.items():
            measured = [value for state in states.values() for value in state.values]
            if not measured and key.role not in {"finding", "spec"}:
                continue
            row = self._rows.row(key, states, self._anchors.new(key.spec_id, key.params))
            case = next(iter(states.values())).case
            axis = axis_of(measured)
            yield Section(
                row,
                key.version,
                cut(case.claim, MOST_TEXT),
                links(cut(case.source, MOST_TEXT)),
                cut(case.differs, MOST_TEXT),
                tuple(self._numbers(states)),
                (),
                f"{axis[0]:g} to {axis[1]:g}" if axis else "",
            )

    def _numbers(self, states: Mapping[Column, State]) -> Iterator[Number]:
        axis = axis_of([value for state in states.values() for value in state.values])
        for column, state in states.items():
            for value in state.values:
                if len(self.places) >= MOST_VALUES:
                    return
                aside = self._elsewhere[column.run].of(value)
                number = number_of(value, state, column.label, axis, self._anchors, aside)
                self.places[column.run, key_of(value)] = number.anchor
                yield number


def _run(place: int, told: Told, made: Sections, anchors: Anchors) -> Run:
    places = {key: anchor for (run, key), anchor in made.places.items() if run == place}
    compared = compared_of(told.comparison, places) if told.comparison else None
    return run_of(told, anchors.new("run", told.record.folder.name), compared)


def _title(columns: Sequence[Column]) -> str:
    models = list(dict.fromkeys(column.model for column in columns if column.model))
    named = ", ".join(models[:3]) + (f" and {len(models) - 3} more" if len(models) > 3 else "")  # noqa: PLR2004
    return f"Findings on {named}" if models else "Findings"
