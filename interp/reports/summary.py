"""The summary of a run as lines of text: per model what was measured and what it says."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final, NamedTuple

from interp.reports.noise import is_visible
from interp.reports.record import Case, End, Role, RunRecord
from interp.reports.text import clip, count, interval, number, plain, seconds, size, squeeze
from interp.reports.values import Value
from interp.reports.verdicts import VERDICTS

AS_GOOD: Final = ("cone", "plain: nothing is shared")  # no model would do better
WORDS: Final = {"fails": "does not hold"}
OF_MANY: Final = {
    "holds": "hold",
    "does not hold": "do not hold",
    "accepted: does not hold": "accepted: do not hold",
}
NARROWEST: Final = 10
MOST_WORD: Final = 24  # letters of a value that is a word
FIRST: Final = 6  # values of a finding that measured many: these, and the last


class Row(NamedTuple):
    """One line of a table: a spec with its verdict, or one of the values it measured."""

    name: str
    value: str = ""
    interval: str = ""
    n: str = ""
    verdict: str = ""


HEAD: Final = Row("", "value", "95 % interval", "n", "verdict")
TO_THE_RIGHT: Final = ("value", "n")


def tables(record: RunRecord, width: int) -> Iterator[str]:
    """A table for each model: findings row by row, contracts and other specs folded into a line."""
    for model in models_of(record):
        yield from wrap(_heading(record, model), width, subsequent_indent="  ")
        ends = [end for end in _ends(record) if end.case.model == model]
        rows = list(_rows(ends, record.values))
        if rows:
            yield from _table(rows, width)
        yield from _folded(ends)
        yield from wrap(_plainly(ends), width, subsequent_indent="  ")
        yield from _reasons(ends, width)
        yield ""


def one_line_each(record: RunRecord) -> Iterator[str]:
    """One line for each model: how many of its specs hold, fail and so on."""
    for model in models_of(record):
        ends = [end for end in _ends(record) if end.case.model == model]
        roles: tuple[Role, ...] = ("contract", "calibration", "finding", "spec")
        tallies = [_tally(ends, role) for role in roles]
        yield f"{model or 'no model'}: {'; '.join(tally for tally in tallies if tally)}"


def models_of(record: RunRecord) -> list[str | None]:
    """The models of a run in the order they were planned; None stands for specs without one."""
    cases = (*record.planned, *(end.case for end in record.ends), *record.crashed)
    return list(dict.fromkeys(case.model for case in cases))


def word_for(end: End) -> str:
    """The verdict in the words of a reader."""
    return (
        f"accepted: {WORDS.get(end.verdict, end.verdict)}" if end.accepted else said_of(end.verdict)
    )


def said_of(verdict: str) -> str:
    """A verdict as it is said."""
    return WORDS.get(verdict, verdict)


def _ends(record: RunRecord) -> list[End]:
    """Every end, and for what crashed one that says so."""
    lost = [End(case, "error", False, "its process died", 0.0) for case in record.crashed]
    return [*record.ends, *lost]


def _heading(record: RunRecord, model: str | None) -> str:
    if model is None:
        return "specs without a model"
    loads = [load for load in record.loads if load.model == model]
    known = loads[0].identity if loads else {}
    said = [
        str(known[key]) for key in ("dtype", "backend", "attn_implementation") if known.get(key)
    ]
    said += _cost(record, model) if loads else []
    return plain(f"{model} ({', '.join(said)})" if said else model)


def _cost(record: RunRecord, model: str) -> Iterator[str]:
    """What it took: to load, in memory, at its peak, and in all."""
    loads = [load for load in record.loads if load.model == model]
    yield f"loaded in {', '.join(seconds(load.seconds) for load in loads)}"
    yield size(max(load.memory for load in loads))
    if peaks := [freed.peak for freed in record.frees if freed.model == model]:
        yield f"peak {size(max(peaks))}"
    took = sum(end.seconds for end in record.ends if end.case.model == model)
    yield f"{seconds(took)} in all"


def _rows(ends: Sequence[End], values: Sequence[Value]) -> Iterator[Row]:
    for end in ends:
        mine = [value for value in values if value.nodeid == end.case.nodeid]
        if end.case.role == "contract" or not (mine or end.case.role == "finding"):
            continue
        name = f"{end.case.spec_id}[{end.case.params}]" if end.case.params else end.case.spec_id
        yield Row(plain(name), verdict=word_for(end))
        rows = [_row(value, end) for value in mine]
        if (left := len(rows) - FIRST - 1) > 1:
            rows[FIRST:-1] = [Row(f"  and {left} more")]
        yield from rows


def _row(value: Value, end: End) -> Row:
    items = "" if value.n is None else str(value.n)
    said = clip(number(value.value), MOST_WORD)
    return Row(f"  {_short_name(value, end)}", said, _between(value), items)


def _between(value: Value) -> str:
    """The interval, and the noise where the digits that are shown can tell."""
    said = interval(value.low, value.high)
    if value.noise is None or not is_visible(value.value, value.noise):
        return said
    return f"{said} noise {number(value.noise)}".strip()


def _short_name(value: Value, end: End) -> str:
    """The value's name without the labels that the case's own name says already."""
    said = end.case.params.split("-")
    labels = {key: label for key, label in value.labels.items() if str(label) not in said}
    named = ",".join(f"{key}={label}" for key, label in sorted(labels.items()))
    return plain(f"{value.metric}[{named}]" if named else value.metric)


def _table(rows: Sequence[Row], width: int) -> Iterator[str]:
    """The rows in columns that fit: names give way first, then the interval, then n."""
    every = [HEAD, *rows]
    for left_out in ((), ("interval",), ("interval", "n")):
        shown = [column for column in Row._fields if column not in left_out]
        sizes = _sizes(every, shown, width)
        if _total(sizes) <= width:
            break
    for row in every:
        cells = (
            clip(getattr(row, column), size).rjust(size)
            if column in TO_THE_RIGHT
            else squeeze(getattr(row, column), size).ljust(size)
            for column, size in zip(shown, sizes, strict=True)
        )
        yield clip("  ".join(cells).rstrip(), width)


def _sizes(rows: Sequence[Row], shown: Sequence[str], width: int) -> list[int]:
    sizes = [max(len(getattr(row, column)) for row in rows) for column in shown]
    spare = width - _total(sizes)
    sizes[0] = max(NARROWEST, sizes[0] + min(spare, 0))
    return sizes


def _total(sizes: Sequence[int]) -> int:
    return sum(sizes) + 2 * (len(sizes) - 1)


def _plainly(ends: Sequence[End]) -> str:
    """Why sweeps could not share their work on this model; empty where they could."""
    found = Counter(how for end in ends for how in end.sweeps if how not in AS_GOOD)
    told = (f"{plain(how)} ({count(many, 'spec')})" for how, many in sorted(found.items()))
    return f"sweeps one by one: {'; '.join(told)}" if found else ""


def _folded(ends: Sequence[End]) -> Iterator[str]:
    roles: tuple[Role, ...] = ("contract", "calibration", "spec")
    tallies = [_tally(ends, role) for role in roles]
    if said := "; ".join(tally for tally in tallies if tally):
        yield said


def _tally(ends: Iterable[End], role: Role) -> str:
    said = [word_for(end) for end in ends if end.case.role == role]
    if not said:
        return ""
    order = [*map(said_of, VERDICTS), *sorted(set(said))]
    parts = [counted(said.count(one), one) for one in dict.fromkeys(order) if one in said]
    return f"{role}s {', '.join(parts)}"


def counted(many: int, word: str) -> str:
    """`1 holds`, `2 hold`."""
    return f"{many} {word if many == 1 else OF_MANY.get(word, word)}"


def _reasons(ends: Sequence[End], width: int) -> Iterator[str]:
    """Why a case is not simply holding, where somebody said why; each reason once."""
    seen: dict[str, list[Case]] = {}
    silent = all(end.verdict == "skipped" for end in ends)  # a model that is not here
    for end in ends:
        if end.reason and (silent or end.verdict != "skipped"):
            seen.setdefault(f"{word_for(end)}: {end.reason}", []).append(end.case)
    for reason, cases in seen.items():
        more = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        line = plain(f"{cases[0].spec_id}{more} {reason}")
        yield from wrap(
            line, width, initial_indent="  ", subsequent_indent="    ", max_lines=3 + 3 * silent
        )
