"""The baseline of a model: the values and verdicts that were accepted, one a line.

A baseline is reviewed like code, so a line says nothing that changes without a reason: lines and
keys are sorted, floats are the shortest text that reads back the same. Only `interp accept` and
`interp prune` write one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from interp.errors import DataError
from interp.reports.journal import replace_file
from interp.reports.tolerance import Tolerance, from_json
from interp.reports.values import Scalar, Value
from interp.reports.verdicts import AcceptedVerdict, load_accepted

WITHOUT_MODEL: Final = "_"  # the file of what is about no model; no id of a model is so
ENVIRONMENT: Final = ("backend", "device", "dtype", "quantization", "attn_implementation")
DIGITS: Final = 12  # of a digest that only has to be told from others
T = TypeVar("T")


@dataclass(frozen=True)
class Reference:
    """One value as it was accepted, or as it would be: what it is, and what it was measured on."""

    finding: str
    version: int
    metric: str
    value: Scalar
    labels: Mapping[str, Scalar]
    environment: Mapping[str, str]
    params: str = ""
    low: float | None = None
    high: float | None = None
    n: int | None = None
    p: float | None = None
    unit: str = "1"
    items: str | None = None  # sha256 of the file with the per-item outcomes
    weights: str | None = None
    noise: float | None = None
    tolerance: Mapping[str, Scalar] | None = None
    spec_hash: str | None = None
    prompts: tuple[Mapping[str, Scalar], ...] = ()
    profile: str = "quick"
    run: str = ""
    accepted: str = ""  # the date
    reason: str = ""
    kind: Literal["value"] = "value"

    @property
    def name(self) -> str:
        """The metric with its labels, as `Value.name`."""
        labels = ", ".join(f"{key}={value}" for key, value in sorted(self.labels.items()))
        return f"{self.metric}[{labels}]" if labels else self.metric

    @property
    def what(self) -> tuple[str, str, str]:
        """What it is a value of, in whichever version and environment."""
        return self.finding, self.name, self.params

    @property
    def key(self) -> tuple[str, str, str, int, str]:
        """What tells it from all others of its model."""
        return (*self.what, self.version, text_of(self.environment))


@dataclass(frozen=True)
class AcceptedRun:
    """The run that accepted values come from: what was around them."""

    run: str
    profile: str
    versions: Mapping[str, str]
    platform: str = ""
    machine: str = ""
    cpus: int = 0
    commit: str | None = None
    kind: Literal["run"] = "run"


@dataclass(frozen=True)
class Baseline:
    """All that was accepted for one model."""

    values: tuple[Reference, ...] = ()
    verdicts: tuple[AcceptedVerdict, ...] = ()
    runs: tuple[AcceptedRun, ...] = ()


def reference_of(value: Value, *, params: str, manifest: Mapping[str, Any]) -> Reference:
    """A measured value in the form in which it would be accepted."""
    identity = value.model or {}
    return Reference(
        finding=value.spec_id,
        version=value.spec_version,
        metric=value.metric,
        value=value.value,
        labels=value.labels,
        environment=environment_of(identity, str(manifest.get("machine", ""))),
        params=params,
        low=value.low,
        high=value.high,
        n=value.n,
        p=value.p,
        unit=value.unit,
        items=value.items,
        weights=None if identity.get("weights_digest") is None else str(identity["weights_digest"]),
        noise=value.noise,
        tolerance=value.tolerance,  # type: ignore[arg-type]  # flat, as tolerance.to_json makes it
        spec_hash=value.spec_hash and value.spec_hash[:DIGITS],
        prompts=tuple(_prompts(row) for row in value.prompts),
        profile=str(manifest.get("profile", "quick")),
        run=str(manifest.get("run", "")),
    )


def environment_of(identity: Mapping[str, Scalar | None], machine: str) -> dict[str, str]:
    """The class of environments: a kind of processor, not which one of them."""
    found = {name: str(identity.get(name) or "") for name in ENVIRONMENT}
    family = found["device"].split(":")[0]
    found["device"] = f"{family}-{machine}" if family == "cpu" and machine else family
    return {name: part for name, part in found.items() if part}


def baseline_file(reports: Path, model: str | None) -> Path:
    """Where the baseline of a model is kept."""
    return reports / "baselines" / f"{WITHOUT_MODEL if model is None else model}.jsonl"


def load_baseline(path: Path) -> Baseline:
    """What was accepted for a model; nothing where there is no file.

    Raises:
        DataError: a line is not what it must be, or says again what another said.
    """
    if not path.is_file():
        return Baseline()
    values: dict[object, Reference] = {}
    runs: dict[str, AcceptedRun] = {}
    for number, text in enumerate(path.read_bytes().split(b"\n"), start=1):
        where = f"{path}:{number}"
        row = _row(text, where) if text.strip() else {"kind": "verdict"}
        if row["kind"] == "value":
            one = _as(Reference, row, where)
            if values.setdefault(one.key, one) is not one:
                raise _refused("a second line about the same value", where)
        elif row["kind"] == "run":
            known = _as(AcceptedRun, row, where)
            runs[known.run] = known
        elif unknown := row.keys() - {"kind", *(field.name for field in fields(AcceptedVerdict))}:
            raise _refused(f"a verdict has no {min(unknown)}", where)
    return Baseline(tuple(values.values()), load_accepted(path), tuple(runs.values()))


def save_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline whole or not at all, its lines sorted.

    Raises:
        DataError: it cannot be written.
    """
    runs = (_line(one) for one in sorted(baseline.runs, key=lambda one: one.run))
    values = (_line(one) for one in sorted(baseline.values, key=lambda one: one.key))
    verdicts = sorted(_line(one) for one in set(baseline.verdicts))
    try:
        replace_file(path, "".join([*runs, *values, *verdicts]).encode())
    except OSError as error:
        raise DataError(
            "the baseline of this model cannot be kept",
            received=error.strerror or str(error),
            where=str(path),
        ) from None


def text_of(content: Mapping[str, object]) -> str:
    """A flat object as text that sorts and compares, and hides no character from a reviewer."""
    return json.dumps(content, sort_keys=True, allow_nan=False)


def used_items(baselines: Iterable[Baseline]) -> set[str]:
    """The digests of all per-item outcomes that some accepted value refers to."""
    return {one.items for baseline in baselines for one in baseline.values if one.items}


def load_all(reports: Path) -> dict[str, Baseline]:
    """Every baseline, by the name of its file.

    Raises:
        DataError: a line of one is not what it must be.
    """
    paths: Sequence[Path] = sorted((reports / "baselines").glob("*.jsonl"))
    return {path.stem: load_baseline(path) for path in paths}


def _prompts(row: Mapping[str, object]) -> dict[str, Scalar]:
    """A prompt set as it is kept: digests cut to what tells them apart."""
    return {
        key: part[:DIGITS] if isinstance(part, str) and key != "name" else part  # type: ignore[misc]  # numbers and words
        for key, part in row.items()
    }


def _line(one: Reference | AcceptedVerdict | AcceptedRun) -> str:
    """One line, without what is as it is when nothing is said."""
    unsaid = {field.name: field.default for field in fields(one)}
    said = {
        name: part
        for name, part in asdict(one).items()
        if unsaid[name] is MISSING or part != unsaid[name]
    }
    return text_of({**said, "kind": getattr(one, "kind", "verdict")}) + "\n"


def _row(text: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise _refused(str(error), where) from None
    if not isinstance(row, dict) or row.get("kind") not in {"value", "verdict", "run"}:
        raise _refused(text[:80].decode(errors="replace"), where)
    return row


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _as(kind: type[T], row: Mapping[str, Any], where: str) -> T:
    import msgspec  # noqa: PLC0415  only where there is a file

    if unknown := row.keys() - kind.__dataclass_fields__.keys():  # type: ignore[attr-defined]  # a dataclass
        raise _refused(f"no {row['kind']} has {min(unknown)!r}", where)
    try:
        found = msgspec.convert(row, type=kind)
        if isinstance(found, Reference):
            tolerance_of(found)
    except (msgspec.ValidationError, DataError) as error:
        raise _refused(str(error).splitlines()[0], where) from None
    return found


def tolerance_of(reference: Reference) -> Tolerance | None:
    """The tolerance that a line, or a spec, says; None where it says none.

    Raises:
        DataError: it is not what it must be.
    """
    return None if reference.tolerance is None else from_json(reference.tolerance)


def _refused(received: str, where: str) -> DataError:
    return DataError(
        "a line of this baseline is not what it must be",
        expected='{"kind": "value", "finding": "...", "metric": "...", "value": 0.5, ...}',
        received=received,
        where=where,
        hint="restore the file from git; nothing was written",
    )
