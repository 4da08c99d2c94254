"""Two runs side by side: which values and verdicts moved, and what was different around them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from interp.reports.record import RunRecord
from interp.reports.values import Scalar, Value

Kind = Literal["same", "within noise", "moved", "new", "missing"]
AROUND = ("versions", "platform", "machine", "cpus", "profile")
OF_MODEL = ("source", "revision", "weights_digest", "dtype", "quantization", "backend")
OF_COMPUTING = ("attn_implementation", "device")
Key = tuple[str | None, str, int, str]


@dataclass(frozen=True)
class Moved:
    """One value in two runs; `before` or `after` is None where a run did not measure it."""

    model: str | None
    finding: str
    name: str
    before: Scalar | None
    after: Scalar | None
    noise: float | None
    kind: Kind


@dataclass(frozen=True)
class Change:
    """Something around the numbers that differs, such as a version: a candidate for the cause."""

    what: str
    before: str
    after: str


def changes_around(before: RunRecord, after: RunRecord) -> list[Change]:
    """What differs in environment and models, those that touch numbers directly first.

    Raises nothing: a manifest that lacks a part is one in which it is unknown.
    """
    found = list(_model_changes(before, after))
    for part in AROUND:
        found += _differences(part, before.manifest.get(part), after.manifest.get(part))
    return found


def moved_values(before: RunRecord, after: RunRecord) -> list[Moved]:
    """Every value of both runs, paired by model, finding, version, metric and labels."""
    old, new = _by_key(before), _by_key(after)
    return [_moved(old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new])]


def moved_verdicts(before: RunRecord, after: RunRecord) -> list[Change]:
    """The cases whose verdict differs, among those that both runs ended."""
    old = {end.case.nodeid: end.verdict for end in before.ends}
    return [
        Change(end.case.nodeid, old[end.case.nodeid], end.verdict)
        for end in after.ends
        if old.get(end.case.nodeid, end.verdict) != end.verdict
    ]


def _by_key(record: RunRecord) -> dict[Key, Value]:
    return {
        (value.model_id, value.spec_id, value.spec_version, value.name): value
        for value in record.values
    }


def _moved(before: Value | None, after: Value | None) -> Moved:
    known = after or before
    assert known is not None  # noqa: S101  one of the two runs has it
    old, new = before.value if before else None, after.value if after else None
    kind = _kind(before, after, known.noise or 0.0)
    return Moved(known.model_id, known.spec_id, known.name, old, new, known.noise, kind)


def _kind(before: Value | None, after: Value | None, noise: float) -> Kind:
    if before is None or after is None:
        return "new" if before is None else "missing"
    old, new = before.value, after.value
    if old == new:
        return "same"
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        return "within noise" if abs(new - old) <= noise else "moved"
    return "moved"


def _model_changes(before: RunRecord, after: RunRecord) -> Iterator[Change]:
    old = {load.model: load.identity for load in before.loads}
    for load in after.loads:
        for part in (*OF_COMPUTING, *OF_MODEL):
            was, now = old.get(load.model, {}).get(part), load.identity.get(part)
            if load.model in old and was != now:
                yield Change(f"{load.model} · {part}", str(was), str(now))


def _differences(name: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for part in sorted({*old, *new}):
            yield from _differences(part, old.get(part), new.get(part))
    elif old != new:
        yield Change(name, str(old), str(new))
