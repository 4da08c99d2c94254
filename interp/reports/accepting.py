"""Which lines of the baselines a run would change: decided here, written by `interp accept`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from interp.errors import RequestError
from interp.reports.baselines import AcceptedRun, Baseline, Reference
from interp.reports.compare import Compared, Comparison
from interp.reports.joining import RUNS
from interp.reports.matching import check_expression, matches
from interp.reports.noise import PLAIN
from interp.reports.record import Case as Planned
from interp.reports.record import RunRecord
from interp.reports.values import Scalar
from interp.reports.verdicts import ACCEPTABLE, AcceptedVerdict, find_accepted

Only = Literal["new", "drifted", "improved", "missing", "verdicts"]
OF_ONE_KIND: Final = ("versions", "machine", "profile", "vary", "git")
KINDS: Final[Mapping[str, Collection[str]]] = {
    "new": ("new",),
    "drifted": ("drifted", "changed"),
    "improved": ("improved",),
}
Model = str | None
Case = tuple[Model, str, str]  # of the finding, with its other parameters


@dataclass(frozen=True)
class Choice:
    """What is to be accepted of a run, and why."""

    models: tuple[str, ...] = ()
    expression: str = ""
    only: Only | None = None
    reason: str = ""
    dirty: bool = False  # also from a tree that differs from its commit

    def takes(self, model: Model, name: str) -> bool:
        """Whether a value or verdict of this model and name is asked for."""
        text = f"{model or ''} {name}"
        return (not self.models or model in self.models) and matches(self.expression, text)


@dataclass(frozen=True)
class Accepted:
    """One line that changes: what stood there before, and what shall."""

    model: Model
    kind: str
    before: Scalar | None
    line: Reference | AcceptedVerdict

    @property
    def name(self) -> str:
        """The value, or the case of the finding."""
        return self.line.name if isinstance(self.line, Reference) else self.line.params or ""

    @property
    def after(self) -> Scalar:
        """What shall stand there."""
        return self.line.value if isinstance(self.line, Reference) else self.line.verdict

    @property
    def case(self) -> Case:
        """Which finding it belongs to, with its other parameters."""
        return self.model, self.line.finding, self.line.params or ""


@dataclass(frozen=True)
class Plan:
    """The baselines as they would be, what changes in them, and what is left out, and why."""

    baselines: Mapping[Model, Baseline] = field(default_factory=dict)
    changes: tuple[Accepted, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def items(self) -> frozenset[str]:
        """The digests of the per-item outcomes that the new lines refer to."""
        lines = (one.line for one in self.changes)
        return frozenset(line.items for line in lines if isinstance(line, Reference) and line.items)


def plan(
    record: RunRecord, comparison: Comparison, known: Mapping[Model, Baseline], choice: Choice
) -> Plan:
    """What accepting a run would change.

    Raises:
        RequestError: no baseline can come from such a run, or a verdict needs a reason.
    """
    check_expression(choice.expression)
    _refuse_whole(record, choice)
    bad = dict(_unfinished(record))
    asked = [*_values(comparison, known, choice, record), *_verdicts(record, known, choice)]
    left_out = {one.case: bad[one.case] for one in asked if one.case in bad}
    changes = tuple(one for one in asked if one.case not in bad)
    _refuse_without_reason(changes, choice)
    return Plan(
        {
            model: _updated(
                known.get(model, Baseline()),
                [one.line for one in changes if one.model == model],
                _run_of(record),
            )
            for model in dict.fromkeys(one.model for one in changes)
        },
        changes,
        tuple(_left(case, why) for case, why in left_out.items()),
    )


def _left(case: Case, why: str) -> str:
    model, finding, params = case
    return f"{model or ''} {finding}{f'[{params}]' if params else ''}: {why}".strip()


def _values(
    comparison: Comparison, known: Mapping[Model, Baseline], choice: Choice, record: RunRecord
) -> Iterator[Accepted]:
    """The measured values that are asked for and are not in the baseline as they are."""
    today = datetime.now(UTC).date().isoformat()
    run = str(record.manifest.get("run", ""))
    for one in comparison.values:
        if one.after is None or not _is_asked(one, choice):
            continue
        lines = {line.key: line for line in known.get(one.model, Baseline()).values}
        old = lines.get(one.after.key)
        new = replace(one.after, tolerance=old.tolerance if old else None)
        stamped = replace(new, run=run, accepted=today, reason=choice.reason)
        if old is None or not _says_the_same(old, new):
            yield Accepted(one.model, one.kind, None if old is None else old.value, stamped)


def _is_asked(one: Compared, choice: Choice) -> bool:
    if choice.only == "verdicts" or (choice.only and one.kind not in KINDS[choice.only]):
        return False
    params = one.after.params if one.after else ""
    return choice.takes(one.model, f"{one.finding}[{params}] {one.name}")


def _says_the_same(old: Reference, new: Reference) -> bool:
    return replace(old, run="", accepted="", reason="") == replace(
        new, run="", accepted="", reason=""
    )


def _verdicts(
    record: RunRecord, known: Mapping[Model, Baseline], choice: Choice
) -> Iterator[Accepted]:
    """The verdicts that are asked for and are not the accepted ones."""
    if choice.only not in {None, "verdicts"}:
        return
    for end in record.ends:
        case = end.case
        name = f"{case.spec_id}[{case.params}]"
        if (
            case.role != "finding"
            or end.verdict == "skipped"
            or choice.only not in {None, "verdicts"}
        ):
            continue
        lines = known.get(case.model, Baseline()).verdicts
        old = find_accepted(lines, case.spec_id, case.spec_version, case.params)
        if choice.takes(case.model, name) and (old is None or old.verdict != end.verdict):
            line = AcceptedVerdict(
                case.spec_id, case.spec_version, end.verdict, choice.reason, case.params or None
            )
            yield Accepted(case.model, "verdict", old.verdict if old else None, line)


def _unfinished(record: RunRecord) -> Iterator[tuple[Case, str]]:
    """The cases that came to no verdict, and why: what they measured may be half of it."""
    for end in record.ends:
        if end.verdict not in ACCEPTABLE:
            yield _of(end.case), f"{end.verdict}: {end.reason}"
    for case in record.crashed:
        yield _of(case), "its process died"
    for case in record.not_run:
        yield _of(case), "interrupted"


def _of(case: Planned) -> Case:
    return case.model, case.spec_id, case.params


def _updated(
    old: Baseline, lines: Sequence[Reference | AcceptedVerdict], run: AcceptedRun
) -> Baseline:
    """The baseline with these lines in the place of those about the same."""
    values = {one.key: one for one in old.values}
    verdicts = {(one.finding, one.version, one.params): one for one in old.verdicts}
    for line in lines:
        if isinstance(line, Reference):
            values[line.key] = line
        else:
            verdicts[line.finding, line.version, line.params] = line
    referred = {one.run for one in values.values()}
    runs = {one.run: one for one in [*old.runs, run]}
    return Baseline(
        tuple(values.values()),
        tuple(verdicts.values()),
        tuple(one for name, one in runs.items() if name in referred),
    )


def _run_of(record: RunRecord) -> AcceptedRun:
    manifest = record.manifest
    git = manifest.get("git") or {}
    return AcceptedRun(
        run=str(manifest.get("run", record.folder.name)),
        profile=str(manifest.get("profile", "quick")),
        versions=dict(manifest.get("versions", {})),
        platform=str(manifest.get("platform", "")),
        machine=str(manifest.get("machine", "")),
        cpus=cpus if isinstance(cpus := manifest.get("cpus"), int) else 0,
        commit=git.get("commit"),
    )


def _refuse_without_reason(changes: Sequence[Accepted], choice: Choice) -> None:
    """What is accepted as anything but holding is accepted with the reason why."""
    odd = [one for one in changes if one.kind == "verdict" and one.after != "holds"]
    if odd and not choice.reason.strip():
        named = ", ".join(f"{_left(one.case, str(one.after))}" for one in odd[:3])
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""  # noqa: PLR2004  as many as are named
        raise RequestError(
            "a verdict other than holds is accepted with a reason",
            asked="interp accept",
            received=f"{named}{more}",
            hint='--reason "why it does not hold here", or leave it out with -k or --only',
        )


def _refuse_whole(record: RunRecord, choice: Choice) -> None:
    """A run that was varied, mixed, is still going on or has no commit is no reference."""
    manifest = record.manifest
    if (vary := manifest.get("vary", PLAIN)) != PLAIN:
        raise _no_reference(record, f"--vary {vary}", "accept a run without --vary")
    if record.running or record.writers:
        raise _no_reference(record, "it is still going on", "wait until it has ended")
    for model, differ in _mixed(record):
        raise _no_reference(
            record, f"{model} was loaded with more than one {differ}", "run it anew"
        )
    for part in _parted(manifest):
        raise _no_reference(
            record, f"it is a merge of runs with other {part}", "accept them singly"
        )
    git = manifest.get("git")
    if git and git.get("dirty") and not choice.dirty:
        raise _no_reference(
            record,
            f"files differed from commit {str(git.get('commit'))[:12]}",
            "commit and run again, or say --force",
        )


def _mixed(record: RunRecord) -> Iterator[tuple[str, str]]:
    """The models that were not one and the same throughout, and in what."""
    seen: dict[str, Mapping[str, Any]] = {}
    for load in record.loads:
        first = seen.setdefault(load.model, load.identity)
        for part in first.keys() | load.identity.keys():
            if first.get(part) != load.identity.get(part):
                yield load.model, part


def _parted(manifest: Mapping[str, Any]) -> Iterator[str]:
    """In what the runs differ that a merged one was made of."""
    runs = manifest.get(RUNS, ())
    for part in OF_ONE_KIND:
        if any(one.get(part) != runs[0].get(part) for one in runs):
            yield part


def _no_reference(record: RunRecord, received: str, hint: str) -> RequestError:
    return RequestError(
        "this run is not one that others can be compared with",
        expected="one environment from beginning to end, and a commit that can be gone back to",
        received=received,
        where=str(record.folder),
        hint=hint,
    )
