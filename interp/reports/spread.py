"""How far values moved from one run to others that computed the same another way."""

from collections.abc import Mapping

from interp.reports.noise import Noise, Place, environment_of, place_of, weights_of
from interp.reports.record import RunRecord
from interp.reports.values import Value

Measured = Mapping[tuple[str, Place], Value]  # by model and place


def spreads(first: RunRecord, others: Mapping[str, RunRecord]) -> dict[str, list[Noise]]:
    """How far each number of the plain run moved, by model.

    A word has no distance, and a value that no variation measured has no spread: both are left out.
    """
    tables = {name: measured(record) for name, record in others.items()}
    found: dict[str, list[Noise]] = {}
    for (model, place), value in measured(first).items():
        now = _number(value)
        moved = {
            name: abs(_number(table[model, place]) - now)
            for name, table in tables.items()
            if (model, place) in table
        }
        if moved:
            found.setdefault(model, []).append(_noise(value, place, moved))
    return found


def _noise(value: Value, place: Place, moved: Mapping[str, float]) -> Noise:
    by, spread = max(moved.items(), key=lambda one: one[1])
    identity = value.model or {}
    return Noise(
        spec_id=value.spec_id,
        spec_version=value.spec_version,
        metric=value.metric,
        labels=value.labels,
        params=place.params,
        environment=environment_of(identity),
        weights=weights_of(identity),
        value=_number(value),
        spread=spread,
        by=by if spread else "",
        variations=len(moved),
    )


def measured(record: RunRecord) -> Measured:
    """The numbers that findings measured, by model and place."""
    cases = {case.nodeid: case for case in record.planned if case.role == "finding"}
    return {
        (str(value.model_id), place_of(value, value.model, cases[value.nodeid].params)): value
        for value in record.values
        if value.model is not None and value.nodeid in cases and not isinstance(value.value, str)
    }


def _number(value: Value) -> float:
    return float(value.value)
