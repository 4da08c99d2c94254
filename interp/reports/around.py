"""What was different around two measurements: candidates for the cause of what moved."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from interp.reports.baselines import AcceptedRun, Baseline
from interp.reports.record import RunRecord

AROUND = ("versions", "platform", "machine", "cpus", "profile", "vary")
OF_MODEL = ("source", "revision", "weights_digest", "dtype", "quantization", "backend")
OF_COMPUTING = ("attn_implementation", "device")


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


def changes_since(baseline: Baseline, after: RunRecord) -> list[Change]:
    """What differs from the runs that the accepted values of a model come from."""
    old = [_manifest(run) for run in baseline.runs]
    found = []
    for part in _parts(old):
        befores = list(dict.fromkeys(str(_get(one, part)) for one in old))
        now = str(_get(after.manifest, part))
        if befores != [now]:
            found.append(Change(part[-1], " or ".join(befores), now))
    return found


def _manifest(run: AcceptedRun) -> dict[str, Any]:
    kept = asdict(run)
    return {part: kept[part] for part in AROUND if part in kept}


def _parts(manifests: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The paths to all that is known of some run."""
    found: dict[tuple[str, ...], None] = {}
    for manifest in manifests:
        for name, part in manifest.items():
            if isinstance(part, Mapping):
                found |= dict.fromkeys((name, one) for one in sorted(part))
            else:
                found[name,] = None
    return list(found)


def _get(manifest: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    part: Any = manifest
    for name in path:
        part = part.get(name) if isinstance(part, Mapping) else None
    return part


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
