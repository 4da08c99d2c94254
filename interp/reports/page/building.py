"""From runs to the page as a value."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from interp.reports.page.around import run_of
from interp.reports.page.escaping import Anchors, cut
from interp.reports.page.numbers import Axis, axis_of, number_of
from interp.reports.page.rows import Rows
from interp.reports.page.told import Board, Column, Href, State, Told, board_of, columns_of
from interp.reports.page.view import Link, Number, Page, Section

MOST_VALUES: Final = 2000
MOST_TEXT: Final = 1500
TAKEN: Final = ("top", "matrix", "moved", "findings", "instruments", "provenance", "reproduce")
ARXIV: Final = re.compile(r"arXiv:(\d{4}\.\d{4,5}(?:v\d+)?)")
Shown = Mapping[Column, State]


def page_of(runs: Sequence[Told], href: Href) -> Page:
    """Everything that is known of the runs, in the order in which it is read."""
    columns, anchors = columns_of(runs), Anchors()
    board = board_of(runs, columns)
    for name in TAKEN:
        anchors.new(name)
    rows = Rows(runs, columns, href)
    instruments = rows.instruments(board, anchors)
    sections = tuple(_sections(board, rows, anchors))
    values = sum(len(told.record.values) for told in runs)
    return Page(
        _title(columns),
        tuple(run_of(told, anchors.new("run", told.record.folder.name)) for told in runs),
        tuple(column.label for column in columns),
        tuple(section.row for section in sections),
        rows.folded(instruments),
        sections,
        instruments,
        values - sum(len(section.numbers) for section in sections),
    )


def _sections(board: Board, rows: Rows, anchors: Anchors) -> Iterator[Section]:
    """A section for each finding, and for whatever else measured something."""
    room = MOST_VALUES
    for key, states in board.items():
        if key.role not in {"finding", "spec"} and not any(one.values for one in states.values()):
            continue
        row = rows.row(key, states, anchors.new(key.spec_id, key.params))
        case = next(iter(states.values())).case
        axis = axis_of([value for state in states.values() for value in state.values])
        numbers = tuple(_numbers(states, axis, anchors, room))
        room -= len(numbers)
        yield Section(
            row,
            key.version,
            cut(case.claim, MOST_TEXT),
            links(cut(case.source, MOST_TEXT)),
            cut(case.differs, MOST_TEXT),
            numbers,
            (),
            f"{axis[0]:g} to {axis[1]:g}" if axis else "",
        )


def _numbers(states: Shown, axis: Axis | None, anchors: Anchors, room: int) -> Iterator[Number]:
    for column, state in states.items():
        for value in state.values[: max(0, room)]:
            room -= 1
            yield number_of(value, state, column.label, axis, anchors)


def links(text: str) -> tuple[Link, ...]:
    """A text in parts; the number of a paper on arXiv leads to it."""
    parts, end = [], 0
    for found in ARXIV.finditer(text):
        parts += [Link(text[end : found.start()])]
        parts += [Link(found[0], f"https://arxiv.org/abs/{found[1]}")]
        end = found.end()
    return tuple(part for part in (*parts, Link(text[end:])) if part.text)


def _title(columns: Sequence[Column]) -> str:
    models = list(dict.fromkeys(column.model for column in columns if column.model))
    named = ", ".join(models[:3]) + (f" and {len(models) - 3} more" if len(models) > 3 else "")  # noqa: PLR2004
    return f"Findings on {named}" if models else "Findings"
