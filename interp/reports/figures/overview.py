"""Charts of a whole run: every finding beside what papers have, and each value over the models."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from interp.charts import Chart, Curves, Forest, Interval, Line, Plot, Row
from interp.charts.curves import MOST_LINES
from interp.reports.published import SHARE, Published
from interp.reports.record import RunRecord
from interp.reports.values import Value

INTERVALS = "Bars: 95 % intervals."
MOST_ROWS = 60  # of a forest: what papers have too, then the first share of each finding


def overview(record: RunRecord, published: Mapping[str, Published]) -> dict[str, Chart]:
    """The charts of a run by their names; none where there is nothing to put beside another."""
    charts: dict[str, Chart] = {}
    for model in _models(record):
        chart = forest(record, published, model)
        if chart is not None:
            charts[f"forest {model}"] = chart
    return charts | dict(scaling(record))


def forest(record: RunRecord, published: Mapping[str, Published], model: str) -> Forest | None:
    """The shares that findings measured on a model, with their intervals and papers' beside them.

    Published values are left out that their entry calls not comparable.
    """
    every = tuple(
        Row(value.spec_id, value.name, _interval(value), _beside(value, published))
        for value in _shares(record)
        if value.model_id == model
    )
    if not every:
        return None
    rows = _chosen(every)
    left = len(every) - len(rows)
    note = f"{INTERVALS} {left} more shares are in the tables." if left else INTERVALS
    return Forest(f"Findings on {model}", note, "share (1 = all)", rows)


def _chosen(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """As many rows as can be read, in their order."""
    first = {row.group: number for number, row in reversed(list(enumerate(rows)))}
    beside = [number for number, row in enumerate(rows) if row.published is not None]
    wanted = list(dict.fromkeys([*first.values(), *beside, *range(len(rows))]))
    return tuple(rows[number] for number in sorted(wanted[:MOST_ROWS]))


def scaling(record: RunRecord) -> Iterator[tuple[str, Curves]]:
    """One chart for each value that was measured on several models, in the registry's order."""
    models = _models(record)
    key = _finding_and_metric
    for (finding, metric), group in groupby(sorted(_shares(record), key=key), key):
        lines = [
            _line(name, list(values), models)
            for name, values in groupby(sorted(group, key=_name), _name)
        ]
        shown = tuple(line for line in lines if len(line.x) > 1)[:MOST_LINES]
        if shown:
            title, plot = f"{finding}: {metric} over models", Plot("share", shown)
            note = f"{INTERVALS} Models in the registry's order."
            yield f"scaling {finding} {metric}", Curves(title, note, "model", (plot,), models)


def _shares(record: RunRecord) -> Iterator[Value]:
    """What findings that came to their end measured with an interval, as shares."""
    findings = {case.nodeid for case in record.planned if case.role == "finding"}
    for value in record.values:
        whole = value.nodeid in findings and not value.partial
        if whole and value.unit == SHARE and _is_share(value):
            yield value


def _is_share(value: Value) -> bool:
    """Whether it lies between none and all, with its interval: a ratio of lengths need not."""
    if value.low is None or value.high is None:
        return False
    return 0 <= value.low <= value.high <= 1


def _models(record: RunRecord) -> tuple[str, ...]:
    """The models with such values, in the order of the registry."""
    listed = [str(model["id"]) for model in record.manifest.get("models", ())]
    measured = {value.model_id for value in _shares(record)} - {None}
    return tuple(sorted(map(str, measured), key=lambda one: (one not in listed, _at(listed, one))))


def _at(listed: list[str], model: str) -> int:
    return listed.index(model) if model in listed else 0


def _interval(value: Value) -> Interval:
    return Interval(float(value.value), value.low, value.high, value.n)


def _beside(value: Value, published: Mapping[str, Published]) -> Interval | None:
    paper = published.get(value.published or "")
    if paper is None or paper.comparable == "no" or paper.unit != value.unit:
        return None
    low, high = paper.interval() or (None, None)
    return Interval(float(paper.value), low, high, paper.n)


def _line(name: str, values: Iterable[Value], models: tuple[str, ...]) -> Line:
    last = {value.model_id: value for value in values}
    known = [(place, last[model]) for place, model in enumerate(models) if model in last]
    parts = [
        (float(x), float(v.value), float(v.low or 0.0), float(v.high or 0.0)) for x, v in known
    ]
    x, y, low, high = zip(*parts, strict=True) if parts else ((), (), (), ())
    return Line(name, x, y, low, high, joined=False)


def _finding_and_metric(value: Value) -> tuple[str, str]:
    return value.spec_id, value.metric


def _name(value: Value) -> str:
    return value.name
