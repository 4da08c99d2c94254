"""A run beside what was accepted, or beside another run: which values and verdicts moved."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from interp.reports.around import Change, changes_around, changes_since
from interp.reports.baselines import (
    Baseline,
    Reference,
    baseline_file,
    load_baseline,
    reference_of,
)
from interp.reports.comparable import best_match
from interp.reports.items import items_folder
from interp.reports.judging import Compared, Kind, Model, Pair, Stores, judged
from interp.reports.record import Case, End, RunRecord
from interp.reports.verdicts import Verdict, find_accepted

__all__ = [
    "Change",
    "Compared",
    "Comparison",
    "Kind",
    "VerdictChange",
    "compare_runs",
    "compare_with_baselines",
    "measured_by",
]
RED: Final = ("drifted", "changed")
QUIET: Final = ("same", "within")


@dataclass(frozen=True)
class VerdictChange:
    """A claim that says something else than what was accepted, or than it said before."""

    model: Model
    finding: str
    params: str
    before: Verdict
    after: Verdict
    nodeid: str


@dataclass(frozen=True)
class Comparison:
    """What a run and another one, or the baselines, differ in; `against` names the other."""

    values: tuple[Compared, ...]
    verdicts: tuple[VerdictChange, ...]
    around: tuple[Change, ...]
    against: str

    @property
    def drifted(self) -> tuple[Compared, ...]:
        """What moved further than allowed, and not for the better: red under the gate."""
        return self.of(*RED)

    @property
    def moved(self) -> tuple[Compared, ...]:
        """Everything that is not the same as it was, or so near that it makes no difference."""
        return tuple(one for one in self.values if one.kind not in QUIET)

    @property
    def new(self) -> tuple[Compared, ...]:
        """What was not there before."""
        return self.of("new")

    @property
    def missing(self) -> tuple[Compared, ...]:
        """What was there before, and should have been measured."""
        return self.of("missing")

    def of(self, *kinds: str) -> tuple[Compared, ...]:
        """The values of these kinds."""
        return tuple(one for one in self.values if one.kind in kinds)


def compare_with_baselines(record: RunRecord, reports: Path) -> Comparison:
    """A run beside the accepted values and verdicts of its models.

    Raises:
        DataError: a line of a baseline is not what it must be.
    """
    measured = measured_by(record)
    models = dict.fromkeys(case.model for case in record.planned) | dict.fromkeys(measured)
    known = {model: load_baseline(baseline_file(reports, model)) for model in models}
    pairs = [
        pair
        for model, baseline in known.items()
        for pair in _pairs(model, baseline.values, measured.get(model, ()), record)
    ]
    stores = Stores(items_folder(reports), record.folder / "artifacts")
    around = [
        change
        for model, baseline in known.items()
        for change in changes_since(baseline, model, record)
    ]
    return Comparison(
        tuple(judged(pairs, stores, other_weights=False)),
        tuple(_verdicts_since(record, known)),
        tuple(dict.fromkeys(around)),
        "the baselines",
    )


def compare_runs(before: RunRecord, after: RunRecord, *, other_weights: bool = False) -> Comparison:
    """A run beside an earlier one; `other_weights` says that it is weights that are compared."""
    old, new = measured_by(before), measured_by(after)
    pairs = [
        pair
        for model in dict.fromkeys([*old, *new])
        for pair in _pairs(
            model,
            [replace(one, tolerance=None) for one in old.get(model, ())],
            new.get(model, ()),
            after,
        )
    ]
    stores = Stores(before.folder / "artifacts", after.folder / "artifacts")
    return Comparison(
        tuple(judged(pairs, stores, other_weights=other_weights)),
        tuple(_verdicts_between(before, after)),
        tuple(changes_around(before, after)),
        str(before.manifest.get("run", before.folder.name)),
    )


def measured_by(record: RunRecord) -> dict[Model, list[Reference]]:
    """What a run measured, by model, in the form in which it would be accepted."""
    params = {case.nodeid: case.params for case in record.planned}
    found: dict[Model, list[Reference]] = {}
    for value in record.values:
        one = reference_of(value, params=params.get(value.nodeid, ""), manifest=record.manifest)
        found.setdefault(value.model_id, []).append(one)
    return found


def _pairs(
    model: Model, known: Sequence[Reference], measured: Sequence[Reference], record: RunRecord
) -> Iterator[Pair]:
    """Each measured value with the most comparable known one; then what should have been there."""
    by_what: dict[object, list[Reference]] = {}
    for one in known:
        by_what.setdefault(one.what, []).append(one)
    for one in measured:
        yield Pair(model, best_match(one, by_what.pop(one.what, [])), one)
    ran = {(case.spec_id, case.params, case.spec_version): why for case, why in _ran(model, record)}
    for left in by_what.values():
        one = left[-1]
        asked = (one.finding, one.params, one.version)
        if asked in ran:
            yield Pair(model, one, None, ran[asked])


def _ran(model: Model, record: RunRecord) -> Iterator[tuple[Case, str]]:
    """The cases that should have measured what they measured before, and how they ended."""
    for end in record.ends:
        if end.case.model == model and end.verdict != "skipped":
            bad = end.verdict in {"error", "invalid"}
            yield end.case, f"{end.verdict}: {end.reason}" if bad else "its finding ran without it"
    for case in record.crashed:
        if case.model == model:
            yield case, "its process died"
    for case in record.not_run:
        if case.model == model:
            yield case, "not run"


def _verdicts_since(record: RunRecord, known: Mapping[Model, Baseline]) -> Iterator[VerdictChange]:
    for end in _spoken(record.ends):
        accepted = find_accepted(
            known[end.case.model].verdicts if end.case.model in known else (),
            end.case.spec_id,
            end.case.spec_version,
            end.case.params,
        )
        if accepted and accepted.verdict != end.verdict:
            yield _change(end, accepted.verdict)


def _verdicts_between(before: RunRecord, after: RunRecord) -> Iterator[VerdictChange]:
    old = {_which(end): end.verdict for end in before.ends}
    for end in after.ends:
        if old.get(_which(end), end.verdict) != end.verdict:
            yield _change(end, old[_which(end)])


def _which(end: End) -> tuple[Model, str, str]:
    return end.case.model, end.case.spec_id, end.case.params


def _spoken(ends: Iterable[End]) -> Iterator[End]:
    """The findings that said something: what was skipped has no verdict to compare."""
    return (end for end in ends if end.case.role == "finding" and end.verdict != "skipped")


def _change(end: End, before: Verdict) -> VerdictChange:
    case = end.case
    return VerdictChange(case.model, case.spec_id, case.params, before, end.verdict, case.nodeid)
