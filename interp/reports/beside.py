"""A measured value beside the value of a paper: whether it says the same, and why that can be said.

- *replicates*: the paper's own model, a protocol that the entry calls comparable, and our value
  lies inside the published interval, or the margin that the entry states.
- *same direction*: it does not, or may not be expected to, but lies on the same side of no effect
  as the published one. No effect is the entry's `null`, or the value that it names as `reference`
  and that the same finding measured on the same model, under the same labels where there are
  several; without either there is no direction to share.
- *differs*: the paper's own model and another value, or the other side of no effect.
- *not comparable*: neither can be said, for the reason that is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from interp.registry import HUB_NAME
from interp.reports.published import Published
from interp.reports.record import RunRecord
from interp.reports.text import interval, number, plain
from interp.reports.values import Identity, Value

Agreement = Literal["replicates", "same direction", "differs", "not comparable"]
QUANTISED: Final = "-4bit"  # how an entry names a quantised model


@dataclass(frozen=True)
class Beside:
    """What a measured value says about a published one, and why."""

    value: Value
    published: Published
    agreement: Agreement
    why: str


@dataclass(frozen=True)
class Reference:
    """What stands for no effect: in the paper, and here."""

    published: float
    ours: float
    said: str


def all_beside(record: RunRecord, published: Mapping[str, Published]) -> tuple[Beside, ...]:
    """Every value of a run that names a published one, in the order they were measured."""
    named = [value for value in record.values if value.published in published]
    found = []
    for value in named:
        entry = published[str(value.published)]
        reference = reference_of(entry, published, _ours(value, entry.reference, named))
        found.append(beside(value, entry, value.model, reference))
    return tuple(found)


def _ours(value: Value, reference: str | None, named: Sequence[Value]) -> Value | None:
    """Our value for a reference: the one of this finding and model, if there is no doubt which."""
    about = (value.model_id, value.spec_id)
    same = [v for v in named if v.published == reference and (v.model_id, v.spec_id) == about]
    close = [one for one in same if one.labels == value.labels]
    return same[0] if len(same) == 1 else close[0] if len(close) == 1 else None


def reference_of(
    entry: Published, published: Mapping[str, Published], ours: Value | None
) -> Reference | None:
    """What stands for no effect beside an entry; `ours` is our value for its `reference`."""
    if entry.null is not None:
        return Reference(entry.null, entry.null, f"no effect is {number(entry.null)}")
    if entry.reference is None or ours is None or isinstance(ours.value, str):
        return None
    said = f"{entry.reference} is {number(published[entry.reference].value)} there"
    return Reference(
        published[entry.reference].value, ours.value, f"{said}, {number(ours.value)} here"
    )


def beside(
    value: Value, entry: Published, identity: Identity | None, reference: Reference | None = None
) -> Beside:
    """A measured value beside a published one."""
    agreement, why = _judged(value, entry, identity, reference)
    note = f"; as written: {entry.note}" if entry.as_written and entry.note else ""
    return Beside(value, entry, agreement, plain(f"{why}{note}"))


def is_the_model_of(entry: Published, identity: Identity | None) -> str:
    """Why our model is not the one of the paper; empty if it is.

    It is if it comes from the hub, its id in the registry or its name on the hub is the name that
    the entry has, and it is quantised if and only if the entry says so. A folder is nobody's.
    """
    if identity is None:
        return "the value is about no model"
    source, ours = str(identity.get("source") or ""), str(identity.get("id") or "")
    name = entry.model.removesuffix(QUANTISED).casefold()
    if name not in {ours.casefold(), source.rpartition("/")[2].casefold()}:
        return f"{ours} is not {entry.model}"
    if not HUB_NAME.fullmatch(source):
        return f"{ours} is a folder, not a published checkpoint"
    if bool(identity.get("quantization")) != entry.model.endswith(QUANTISED):
        return f"{ours} is quantised otherwise than {entry.model}"
    return ""


def _judged(
    value: Value, entry: Published, identity: Identity | None, reference: Reference | None
) -> tuple[Agreement, str]:
    if reason := _refused(value, entry):
        return "not comparable", reason
    other = is_the_model_of(entry, identity)
    if entry.comparable != "value" and not other:
        other = "another protocol: its entry allows a comparison of direction only"
    within = entry.interval()
    if not other and within is None:
        other = "the paper gives no interval, n or margin"
    if not other and within is not None:
        low, high = within
        if low <= float(value.value) <= high:
            return "replicates", f"inside {interval(low, high)}"
        other = f"outside {interval(low, high)}"
        if reference is None:
            return "differs", other
    return _direction(value, entry, reference, other)


def _refused(value: Value, entry: Published) -> str:
    """Why nothing at all can be said."""
    if entry.comparable == "no":
        return entry.note or "the protocol as written shows an artefact"
    if entry.status == "recalled":
        return "the published value is from memory"
    if value.unit != entry.unit:
        return f"another unit: {value.unit} here, {entry.unit} there"
    return "a word, not a number" if isinstance(value.value, str) else ""


def _direction(
    value: Value, entry: Published, reference: Reference | None, other: str
) -> tuple[Agreement, str]:
    """Which side of no effect both lie on; ours only if its interval lies there whole."""
    if reference is None:
        return "not comparable", f"{other}; nothing says what no effect would be"
    theirs = entry.value - reference.published
    ours = float(value.value) - reference.ours
    if not theirs:
        return "not comparable", f"{other}; the published value is no effect itself"
    inside = value.low is not None and value.high is not None
    if not ours or (inside and value.low <= reference.ours <= value.high):  # type: ignore[operator]
        return "not comparable", f"{other}; our interval holds no effect ({reference.said})"
    if (ours > 0) == (theirs > 0):
        return "same direction", f"{other}; {reference.said}"
    return "differs", f"{other}; on the other side of no effect ({reference.said})"
