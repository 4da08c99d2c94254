"""A run on one page of Markdown: what it came to, what moved, what to run next."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from interp.reports.again import command_of
from interp.reports.compare import Comparison
from interp.reports.exit_status import Outcome
from interp.reports.markup import Block, Table, Text, code_block, escaped, fitted
from interp.reports.published import Published
from interp.reports.record import End, RunRecord
from interp.reports.scaling import Scale, scales_of
from interp.reports.summary import counted, models_of, said_of, word_for
from interp.reports.text import count, interval, number, plain
from interp.reports.values import Value
from interp.reports.verdicts import VERDICTS

ROOM: Final = 900_000  # bytes: GitHub drops a summary of more than 1,024 KiB whole
MOST_MOVED: Final = 20
NONE: Final[Mapping[str, Published]] = MappingProxyType({})
SYMBOLS: Final = {
    "holds": "✓",
    "fails": "✗",
    "inconclusive": "~",
    "invalid": "!",
    "skipped": "-",
    "error": "#",
}
ROLES: Final = ("contract", "calibration", "spec")


def summary(
    record: RunRecord,
    comparison: Comparison | None,
    outcome: Outcome,
    published: Mapping[str, Published] = NONE,
) -> str:
    """The run as Markdown, with all of its findings."""
    blocks = list(_blocks(record, comparison, outcome, published))
    return fitted(blocks, 10 * ROOM)


def step_summary(
    record: RunRecord, comparison: Comparison | None, outcome: Outcome, *, room: int = ROOM
) -> str:
    """The run as Markdown of `room` bytes at most: tables lose whole rows, and say how many."""
    return fitted(list(_blocks(record, comparison, outcome, NONE)), room)


def _blocks(
    record: RunRecord,
    comparison: Comparison | None,
    outcome: Outcome,
    published: Mapping[str, Published],
) -> Iterator[Block]:
    ends = ends_of(record)
    yield Text((f"# exit {outcome.status}: {escaped(outcome.meaning)}", "", *_about(record, ends)))
    yield from _findings(record, ends)
    yield from _scaling(scales_of([record], published))
    if comparison is not None:
        yield from _moved(comparison)
    yield from _reasons(ends)
    if comparison is not None and comparison.around:
        yield _around(comparison)
    yield Text(("## Run it again", "", code_block(command_of(record.manifest))))


def ends_of(record: RunRecord) -> list[End]:
    """Every case with how it ended; a process that died, and what never ran, are ends too."""
    lost = [End(case, "error", False, "its process died", 0.0) for case in record.crashed]
    never = [End(case, "error", False, "not run", 0.0) for case in record.not_run]
    return [*record.ends, *lost, *never]


def _about(record: RunRecord, ends: Sequence[End]) -> Iterator[str]:
    models = [model for model in models_of(record) if model]
    said = [
        str(record.manifest.get("run", record.folder.name)),
        f"profile {record.manifest.get('profile', 'unknown')}",
        count(len(models), "model"),
        count(len(record.values), "value"),
    ]
    yield escaped(" · ".join(said))
    for role in ROLES:
        if tally := _tally([end for end in ends if end.case.role == role]):
            yield ""
            yield escaped(f"{role}s: {tally}")


def _tally(ends: Sequence[End]) -> str:
    words = [word_for(end) for end in ends]
    order = dict.fromkeys([*map(said_of, VERDICTS), *sorted(words)])
    return ", ".join(counted(words.count(word), word) for word in order if word in words)


def _findings(record: RunRecord, ends: Sequence[End]) -> Iterator[Table]:
    """Findings down, models across."""
    mine = [end for end in ends if end.case.role == "finding"]
    if not mine:
        return
    models = list(dict.fromkeys(end.case.model for end in mine))
    cells: dict[str, dict[str | None, str]] = {}
    for end in mine:
        params = f" [{end.case.params}]" if end.case.params else ""
        row = cells.setdefault(f"{end.case.spec_id}{params}", {})
        row[end.case.model] = _cell(end, record.values)
    rows = tuple((name, *(row.get(model, "") for model in models)) for name, row in cells.items())
    head = ("finding", *(model or "no model" for model in models))
    yield Table("Findings", head, rows, "the report in the run's folder has them")


def _cell(end: End, values: Sequence[Value]) -> str:
    first = next((value for value in values if value.nodeid == end.case.nodeid), None)
    said = f"{SYMBOLS[end.verdict]} {word_for(end)}"
    if first is None:
        return said
    between = interval(first.low, first.high)
    return f"{said}: {first.metric} {number(first.value)} {between}".rstrip()


def _scaling(scales: Sequence[Scale]) -> Iterator[Table]:
    """Values beside the sizes of models, and what so few of them allow."""
    rows = tuple(
        (f"{scale.finding} {scale.name}", said) for scale in scales for said in scale.sayings
    )
    if rows:
        yield Table("What scales", ("value", "over sizes"), rows, "the report has the values")


def _moved(comparison: Comparison) -> Iterator[Block]:
    """Verdicts first, then values; what is red before what is not."""
    verdicts = [
        (one.model or "", _named(one.finding, one.params), "verdict", said_of(one.before),
         said_of(one.after), "changed")
        for one in comparison.verdicts
    ]  # fmt: skip
    first = _without_baseline(comparison)
    others = [one for one in comparison.moved if one not in comparison.drifted]
    shown = [*comparison.drifted, *(one for one in others if one.model not in first)]
    values = [
        (
            one.model or "", one.finding, one.name,
            "" if one.before is None else number(one.before.value),
            "" if one.after is None else number(one.after.value),
            f"{one.kind} ({one.allowed})" if one.allowed else one.kind,
        )
        for one in shown
    ]  # fmt: skip
    if first:
        names = ", ".join(escaped(model or "what is about no model") for model in first)
        yield Text(
            (f"No value is accepted yet for {names}: `interp accept` takes those of a run.",)
        )
    against = plain(comparison.against)
    if not verdicts and not values:
        if not first:
            yield Text((f"Nothing moved against {escaped(against)}.",))
        return
    head = ("model", "finding", "what", "before", "now", "kind")
    table = Table(f"Moved against {against}", head, (*verdicts, *values), "interp diff shows them")
    yield table.at_most(MOST_MOVED)


def _without_baseline(comparison: Comparison) -> list[str | None]:
    """The models of which every value is new."""
    known = {one.model for one in comparison.values if one.kind != "new"}
    return [
        model for model in dict.fromkeys(one.model for one in comparison.new) if model not in known
    ]


def _named(finding: str, params: str) -> str:
    return f"{finding} [{params}]" if params else finding


def _reasons(ends: Sequence[End]) -> Iterator[Table]:
    """Why what does not simply hold does not."""
    rows = tuple(
        (end.case.model or "", _named(end.case.spec_id, end.case.params), word_for(end), end.reason)
        for end in ends
        if end.verdict not in {"holds", "skipped"} and end.reason
    )
    if rows:
        yield Table("Why", ("model", "spec", "verdict", "why"), rows, "the report has them")


def _around(comparison: Comparison) -> Table:
    rows = tuple((one.what, one.before, one.after) for one in comparison.around)
    return Table("Different around them", ("what", "before", "now"), rows, "interp diff shows them")
