"""The lines of several processes as one journal: ordered, each once, with what counts marked.

A pure function of the lines, whatever file they come from and in whatever order: merging what was
merged gives the same bytes. Nothing is dropped, not even a kind of line that is not known here.

Each writer's own numbering decides the order of its lines. Between writers it is the clock, which
for one writer never goes back: a line counts as written no earlier than the one before it.

Of a case that was started more than once, the last attempt that ended counts, or where none did,
the last one; lines of the others are `superseded`. Lines of an attempt that did not end are
`partial`.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from interp.reports.journal import SCHEMA
from interp.reports.lines import HEAD, Line, Lines

MARKS: Final = frozenset({"partial", "superseded"})
Attempt = tuple[str, str, int]  # the case, the writer, how often it had started the case
Placed = tuple[float, str, int, Line]  # when it counts as written, by whom, as their how-many-th


def merge(rows: Iterable[Line]) -> list[Line]:
    """The lines in order, each once, marked."""
    same: dict[tuple[str, float], list[Line]] = defaultdict(list)
    for row in rows:
        same[row["writer"], row["seq"]].append(
            {name: row[name] for name in row if name not in MARKS}
        )
    by_writer: dict[str, list[Line]] = defaultdict(list)
    for writer, sequence in sorted(same):
        by_writer[writer] += _unique(same[writer, sequence])
    placed = [one for writer, own in by_writer.items() for one in _placed(writer, own)]
    return list(_marked([row for *_, row in sorted(placed, key=lambda one: one[:3])]))


def merged_file(lines: Lines) -> bytes:
    """The content of `merged.jsonl`: a head that says what was torn, then every line."""
    head = {"v": SCHEMA, "kind": HEAD, "seq": 0, "t": 0, "torn": dict(sorted(lines.torn.items()))}
    return "".join(_text(row) + "\n" for row in [head, *merge(lines.rows)]).encode()


def _text(row: Line) -> str:
    return json.dumps(row, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _unique(rows: Sequence[Line]) -> Iterable[Line]:
    """Lines that have one number: copies of one line, unless somebody has changed one."""
    if len(rows) == 1:
        return rows
    texts = {_text(row): row for row in rows}
    return [texts[text] for text in sorted(texts)]


def _placed(writer: str, own: Iterable[Line]) -> Iterator[Placed]:
    latest = float("-inf")
    for place, row in enumerate(own):
        latest = max(latest, row["t"])
        yield (latest, writer, place, row)


def _marked(rows: Sequence[Line]) -> Iterator[Line]:
    attempts = list(_attempts(rows))
    ended = {
        attempt: attempt[0]
        for attempt, row in zip(attempts, rows, strict=True)
        if attempt and row["kind"] == "test_end"
    }
    counts = {attempt[0]: attempt for attempt in dict.fromkeys(filter(None, attempts))}
    counts |= {case: attempt for attempt, case in ended.items()}
    for attempt, row in zip(attempts, rows, strict=True):
        if attempt is None:
            yield row
        elif counts[attempt[0]] != attempt:
            yield {**row, "superseded": True}
        else:
            yield row if attempt in ended else {**row, "partial": True}


def _attempts(rows: Iterable[Line]) -> Iterator[Attempt | None]:
    """The attempt that each line belongs to; None for a line that is about no case."""
    started: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        case, writer = row.get("nodeid"), row["writer"]
        if not isinstance(case, str):
            yield None
            continue
        started[case, writer] += row["kind"] == "test_start"
        yield (case, writer, started[case, writer])
