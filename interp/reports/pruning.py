"""What of the baselines and runs nothing refers to any more: `interp prune` deletes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interp.reports.baselines import Baseline, Reference, used_items
from interp.reports.compare import measured_by
from interp.reports.folders import find_run, list_runs
from interp.reports.items import items_folder
from interp.reports.locks import is_held
from interp.reports.record import RunRecord
from interp.reports.verdicts import AcceptedVerdict

Line = Reference | AcceptedVerdict


@dataclass(frozen=True)
class Pruned:
    """A baseline without the lines that a full run has not brought forth, and those lines."""

    model: str | None
    baseline: Baseline
    gone: tuple[Line, ...]


def without_missing(baseline: Baseline, record: RunRecord, model: str | None) -> Pruned:
    """The baseline of a model without what this full run of it has not measured.

    A line of another profile stays as long as its finding is there: that profile may measure more.
    """
    now = {(one.what, one.version) for one in measured_by(record).get(model, ())}
    cases = {
        (case.spec_id, case.spec_version, case.params)
        for case in record.planned
        if case.model == model
    }
    findings = {(name, version) for name, version, _ in cases}
    profile = record.manifest.get("profile", "quick")

    def stays(one: Reference) -> bool:
        other = one.profile != profile and (one.finding, one.version) in findings
        return other or (one.what, one.version) in now

    def holds(one: AcceptedVerdict) -> bool:
        if one.params is None:
            return (one.finding, one.version) in findings
        return (one.finding, one.version, one.params) in cases

    values = tuple(one for one in baseline.values if stays(one))
    verdicts = tuple(one for one in baseline.verdicts if holds(one))
    runs = {one.run for one in values}
    kept = Baseline(values, verdicts, tuple(one for one in baseline.runs if one.run in runs))
    gone: list[Line] = [one for one in baseline.values if not stays(one)]
    gone += [one for one in baseline.verdicts if not holds(one)]
    return Pruned(model, kept, tuple(gone))


def unused_items(reports: Path, baselines: Mapping[str, Baseline]) -> list[Path]:
    """The files of per-item outcomes that no accepted value refers to."""
    used = used_items(baselines.values())
    return [path for path in sorted(items_folder(reports).glob("*.npz")) if path.stem not in used]


def old_runs(reports: Path, keep: int) -> list[Path]:
    """The folders of all but the last so many runs; never one that is still being written to."""
    runs = list_runs(reports)
    latest = {find_run(reports, None)} if runs else set()
    old = runs[: max(len(runs) - keep, 0)]
    return [run for run in old if run.resolve() not in latest and not _is_alive(run)]


def _is_alive(run: Path) -> bool:
    return any(is_held(part) for part in (run / "parts").glob("*.jsonl"))


def told(gone: Sequence[Line]) -> Iterator[str]:
    """The lines in words."""
    for one in gone:
        if isinstance(one, Reference):
            yield f"{one.finding} {one.name}"
        else:
            yield f"{one.finding}{f'[{one.params}]' if one.params else ''}: {one.verdict}"
