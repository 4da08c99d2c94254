"""What of the baselines and runs nothing refers to any more: `interp prune` deletes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interp.reports.baselines import Baseline, Reference, used_items
from interp.reports.compare import measured_by
from interp.reports.folders import find_run, list_runs
from interp.reports.items import items_folder
from interp.reports.joining import RUNS
from interp.reports.locks import is_held
from interp.reports.record import RunRecord
from interp.reports.text import count
from interp.reports.verdicts import ACCEPTABLE, AcceptedVerdict

WHOLE: Final = frozenset({"specs", "specs/findings"})
PARTLY: Final = (
    "--ignore",
    "--lf",
    "--last-failed",
    "--sw",
    "--stepwise",
    "--continue-on-collection-errors",
)
Line = Reference | AcceptedVerdict


@dataclass(frozen=True)
class Pruned:
    """A baseline without the lines that a full run has not brought forth, and those lines."""

    model: str | None
    baseline: Baseline
    gone: tuple[Line, ...]


def why_not_full(record: RunRecord, model: str | None) -> str:
    """Why a run does not tell what there is of a model; empty if it ran all of its findings."""
    manifest = record.manifest
    paths = [str(path).rstrip("/") for path in manifest.get("paths", ())]
    words = [word for one in (manifest, *manifest.get(RUNS, ())) for word in one.get("argv", ())]
    options = [word for word in words if str(word).startswith(PARTLY)]
    planned = [case for case in record.planned if case.model == model and case.role == "finding"]
    ended = {end.case.nodeid for end in record.ends if end.verdict in ACCEPTABLE}
    open_still = sum(case.nodeid not in ended for case in planned)
    if not planned:
        return "no finding was planned on it"
    if manifest.get("deselected", 1):
        return "some specs were left out by -k, -m or --deselect"
    if options:
        return f"it ran with {options[0]}"
    if not any(path in WHOLE or _is_root(path, record) for path in paths):
        return f"it ran {', '.join(paths) or 'nothing that is known'} and not all of specs"
    return f"{count(open_still, 'finding')} came to no verdict" if open_still else ""


def _is_root(path: str, record: RunRecord) -> bool:
    """Whether a path is the project itself, which holds the planned specs by their names."""
    files = {case.nodeid.split("::")[0] for case in record.planned}
    return path == "." or (
        Path(path).is_absolute() and all((Path(path) / one).is_file() for one in files)
    )


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
