"""What stands beside a value: what was accepted for it, and what was published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from interp.reports import beside, compare
from interp.reports.page.escaping import cut
from interp.reports.page.links import links
from interp.reports.page.marks import OF_AGREEMENT, OF_COMPARISON
from interp.reports.page.told import Told
from interp.reports.page.view import Beside, Changed, Compared, Drifted, Link
from interp.reports.published import Published
from interp.reports.summary import said_of
from interp.reports.text import count, interval, number
from interp.reports.values import Scalar, Value

MOST_ROWS: Final = 200
MOST_WHY: Final = 400
QUIET: Final = ("same", "within")
ORDER: Final = (
    "drifted",
    "changed",
    "missing",
    "improved",
    "inconclusive",
    "spec changed",
    "incomparable",
    "new",
)
Key = tuple[str | None, str, int, str]


@dataclass(frozen=True)
class Aside:
    """What stands beside one value, and where on its axis."""

    baseline: Beside | None = None
    published: Beside | None = None
    accepted: float | None = None
    paper: float | None = None


class Elsewhere:
    """What the values of one run are compared with."""

    def __init__(self, told: Told, published: Mapping[str, Published]) -> None:
        values = told.comparison.values if told.comparison else ()
        self._compared = {(one.model, one.finding, one.version, one.name): one for one in values}
        found = beside.all_beside(told.record, published)
        self._published = {key_of(one.value): one for one in found}

    def of(self, value: Value) -> Aside:
        """What stands beside a value."""
        compared = self._compared.get(key_of(value))
        accepted = compared.before if compared else None
        paper = self._published.get(key_of(value))
        return Aside(
            _accepted(compared) if compared and compared.before else None,
            _paper(paper) if paper else None,
            _place(accepted.value) if accepted else None,
            float(paper.published.value) if paper else None,
        )


def key_of(value: Value) -> Key:
    """What tells a value from all others of its run."""
    return value.model_id, value.spec_id, value.spec_version, value.name


def compared_of(comparison: compare.Comparison, places: Mapping[Key, str]) -> Compared | None:
    """What moved, with links to the values that did; None where there was nothing to move from."""
    if not any(one.before for one in comparison.values) and not comparison.verdicts:
        return None
    moved = [one for one in comparison.values if one.kind not in QUIET]
    moved.sort(key=lambda one: ORDER.index(one.kind))
    rows = [*map(_verdict, comparison.verdicts), *(_value(one, places) for one in moved)]
    return Compared(
        comparison.against,
        _tally(comparison),
        tuple(rows[:MOST_ROWS]),
        max(0, len(rows) - MOST_ROWS),
        tuple(Changed(one.what, one.before, one.after) for one in comparison.around),
    )


def _tally(comparison: compare.Comparison) -> str:
    kinds: Sequence[str] = [one.kind for one in comparison.values]
    said = [f"{kinds.count(kind)} {kind}" for kind in (*ORDER, *QUIET) if kind in kinds]
    changed = len(comparison.verdicts)
    also = f"; {count(changed, 'verdict')} changed" if changed else "; no verdict changed"
    return f"{count(len(kinds), 'value')}: {', '.join(said)}{also}"


def _value(one: compare.Compared, places: Mapping[Key, str]) -> Drifted:
    anchor = places.get((one.model, one.finding, one.version, one.name))
    return Drifted(
        one.model or "no model",
        Link(one.finding, f"#{anchor}" if anchor else ""),
        one.name,
        _shown(one.before.value if one.before else None),
        _shown(one.after.value if one.after else None),
        OF_COMPARISON[one.kind],
        one.allowed,
        cut(one.why, MOST_WHY),
    )


def _verdict(one: compare.VerdictChange) -> Drifted:
    name = f"{one.finding}[{one.params}]" if one.params else one.finding
    return Drifted(
        one.model or "no model",
        Link(name),
        "the verdict itself",
        said_of(one.before),
        said_of(one.after),
        OF_COMPARISON["changed"],
        "",
        "",
    )


def _accepted(one: compare.Compared) -> Beside:
    assert one.before is not None  # noqa: S101  asked before
    between = interval(one.before.low, one.before.high)
    mark = OF_COMPARISON[one.kind]
    allowed = f" Allowed: {one.allowed}." if one.allowed else ""
    said = f"{number(one.before.value)} {between}".strip()
    why = f"Accepted: {said}; now {one.kind}. {one.why}{allowed}"
    return Beside(number(one.before.value), mark, cut(why, MOST_WHY))


def _paper(one: beside.Beside) -> Beside:
    entry = one.published
    between = interval(entry.low, entry.high)
    n = f"n = {entry.n}" if entry.n else ""
    said = ", ".join(part for part in (between, n, entry.metric, entry.model) if part)
    why = f"Published: {number(entry.value)}, {said}. {one.why}."
    note = f" {entry.note}." if entry.note else ""
    return Beside(
        number(entry.value),
        OF_AGREEMENT[one.agreement],
        cut(f"{why}{note}", 2 * MOST_WHY),
        links(entry.source),
    )


def _place(value: Scalar) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _shown(value: Scalar | None) -> str:
    return "not measured" if value is None else number(value)
