"""The measured values of a spec: each with its interval, what stands beside it and its ledger."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from interp.reports.noise import is_visible
from interp.reports.page.elsewhere import Aside
from interp.reports.page.escaping import Anchors, cut
from interp.reports.page.told import State
from interp.reports.page.view import Edits, Fact, Number, Strip
from interp.reports.text import interval, number
from interp.reports.values import Value

MOST_EDITS: Final = 40  # lines of one ledger
MOST_NAME: Final = 200
Axis = tuple[float, float]


def axis_of(values: Sequence[Value]) -> Axis | None:
    """The axis that these values share: 0 to 1, or -1 to 1 if one is negative; None if too far."""
    shown = [one for value in values if on_axis(value) for one in _ends(value)]
    if not shown or max(map(abs, shown)) > 1:
        return None
    return (-1.0 if min(shown) < 0 else 0.0, 1.0)


def on_axis(value: Value) -> bool:
    """Whether a value is a share or a correlation, not a count or a p-value."""
    return isinstance(value.value, float) and value.unit == "1"


def number_of(
    value: Value, state: State, model: str, axis: Axis | None, anchors: Anchors, aside: Aside
) -> Number:
    """A value as a line of a table."""
    noise = value.noise
    ledger = [_edits(row) for row in value.ledger]
    return Number(
        anchors.new(value.spec_id, value.name, model),
        cut(short_name(value, state), MOST_NAME),
        model,
        number(value.value),
        str(value.value),
        interval(value.low, value.high),
        "" if value.n is None else f"{value.n:,}",
        "" if value.unit == "1" else value.unit,
        "" if noise is None else number(noise) if noise else "0",
        tuple(_exact(value)),
        strip_of(value, axis, aside) if axis and on_axis(value) else None,
        state.end is None,
        tuple(ledger[:MOST_EDITS]),
        max(0, len(ledger) - MOST_EDITS),
        aside.baseline,
        aside.published,
    )


def short_name(value: Value, state: State) -> str:
    """The value's name without the labels that the case's own name says already."""
    said = state.case.params.split("-")
    labels = {key: label for key, label in value.labels.items() if str(label) not in said}
    named = ", ".join(f"{key}={label}" for key, label in sorted(labels.items()))
    return f"{value.metric}[{named}]" if named else value.metric


def strip_of(value: Value, axis: Axis, aside: Aside) -> Strip:
    """A value and its interval as places on an axis 100 wide."""
    low, high = value.low, value.high
    return Strip(
        place_on(axis, float(value.value)),
        None if low is None else place_on(axis, low),
        None if high is None else place_on(axis, high),
        place_on(axis, 0.0),
        None if aside.accepted is None else place_on(axis, aside.accepted),
        None if aside.paper is None else place_on(axis, aside.paper),
    )


def place_on(axis: Axis, where: float) -> float:
    """Where a number lies on an axis 100 wide, at its end if it is beyond."""
    share = (where - axis[0]) / (axis[1] - axis[0])
    return round(100 * min(1.0, max(0.0, share)), 2)


def _ends(value: Value) -> list[float]:
    ends = (value.low, float(value.value), value.high)
    return [one for one in ends if one is not None]


def _exact(value: Value) -> list[Fact]:
    """The parts of a value that the line has no room for."""
    between = "" if value.low is None else f" [{value.low}, {value.high}]"
    found = [Fact("in full", f"{value.value}{between}")]
    if value.p is not None:
        found.append(Fact("p", str(value.p)))
    if value.noise is not None and isinstance(value.value, (int, float)):
        seen = "more" if is_visible(value.value, value.noise) else "less"
        found.append(Fact("noise", f"{value.noise}: {seen} than the digits shown"))
    if value.items:
        found.append(Fact("items", f"artifacts/{value.items}.npz"))
    found += [Fact("prompts", _prompts(one)) for one in getattr(value, "prompts", ())]
    return [*found, Fact("measured by", value.nodeid)]


def _prompts(one: Mapping[str, Any]) -> str:
    digest, tokens = str(one.get("digest", "")), str(one.get("tokens", ""))
    return f"{one.get('name', '')}, n = {one.get('n', '')}, texts {digest}, tokens {tokens}"


def _edits(row: Mapping[str, Any]) -> Edits:
    places, doses = row.get("from_end") or (), row.get("dose") or ()
    said = [number(dose) for dose in doses]
    return Edits(
        str(row.get("verb", "")),
        str(row.get("site", "")),
        str(row.get("phase", "")),
        int(row.get("runs", 0)),
        int(row.get("rows", 0)),
        " to ".join(str(place) for place in dict.fromkeys(places)),
        int(row.get("fired", 0)),
        " / ".join(said if len(set(said)) > 1 else said[:1]),
    )
