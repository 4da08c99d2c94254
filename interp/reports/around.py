"""What was different around two measurements: candidates for the cause of what moved."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from interp.reports.baselines import Baseline, Reference, environment_of
from interp.reports.noise import weights_of
from interp.reports.record import RunRecord

AROUND = ("versions", "platform", "machine", "cpus", "profile", "vary")
OF_MODEL = ("source", "revision", "weights_digest", "dtype", "quantization", "backend")
OF_COMPUTING = ("attn_implementation", "device")
WEIGHTS = "weights"


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


def changes_since(baseline: Baseline, model: str | None, after: RunRecord) -> list[Change]:
    """What differs from the runs that the accepted values of a model come from."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in baseline.runs:
        known = asdict(run)
        for part in AROUND:
            old, new = known.get(part), after.manifest.get(part)
            for one in _differences(part, old, new) if old and new else ():
                found.setdefault((one.what, one.after), []).append(one.before)
    runs = [Change(what, " or ".join(dict.fromkeys(b)), now) for (what, now), b in found.items()]
    return [*_environment_changes(baseline.values, model, after), *runs]


def _environment_changes(
    known: Sequence[Reference], model: str | None, after: RunRecord
) -> Iterator[Change]:
    """What the model itself was loaded as, where no accepted value was measured so."""
    machine = str(after.manifest.get("machine", ""))
    for load in [load for load in after.loads if known and load.model == model][:1]:
        now = environment_of(load.identity, machine) | {WEIGHTS: weights_of(load.identity) or ""}
        old = [dict(one.environment) | {WEIGHTS: one.weights or ""} for one in known]
        for part in sorted(now.keys() | old[0].keys()):
            olds = list(dict.fromkeys(one.get(part, "") for one in old))
            if now.get(part, "") not in olds:
                what = f"{load.model} · {part}"
                yield Change(what, " or ".join(olds) or "none", now.get(part) or "none")


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
