"""Whether two values can be compared at all: version, environment, weights, prompts, number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from interp.reports.baselines import Reference
from interp.reports.values import Scalar

Obstacle = Literal["spec changed", "incomparable", "inconclusive"]
MUST_AGREE: Final = ("backend", "dtype", "quantization")
MAY_DIFFER: Final = ("device", "attn_implementation")
SHORT: Final = 8


@dataclass(frozen=True)
class Hindrance:
    """Why a comparison ends before any number is looked at."""

    kind: Obstacle
    why: str


def best_match(after: Reference, known: Sequence[Reference]) -> Reference | None:
    """Of the values of the same metric, the one that is the most comparable."""
    return max(known, key=lambda one: _closeness(one, after), default=None)


def is_portable(before: Reference, after: Reference) -> bool:
    """Whether two values are from the same arithmetic on another device, or another attention."""
    return any(_part(before, part) != _part(after, part) for part in MAY_DIFFER)


def differences(
    before: Mapping[str, str], after: Mapping[str, str], parts: Iterable[str]
) -> list[str]:
    """The parts of an environment that differ, in words."""
    return [
        f"{part} {before.get(part) or 'none'} -> {after.get(part) or 'none'}"
        for part in parts
        if before.get(part, "") != after.get(part, "")
    ]


def hindrance(
    before: Reference, after: Reference, *, other_weights: bool = False
) -> Hindrance | None:
    """What keeps two values from being compared; None if nothing does.

    `other_weights` says that it is weights that are to be compared.
    """
    if before.version != after.version:
        return Hindrance("spec changed", f"version {before.version} -> {after.version}")
    if found := differences(before.environment, after.environment, MUST_AGREE):
        return Hindrance("incomparable", ", ".join(found))
    if before.weights != after.weights and not other_weights:
        shown = " -> ".join(str(one.weights or "unknown")[:SHORT] for one in (before, after))
        return Hindrance("incomparable", f"other weights: {shown}")
    if before.unit != after.unit:
        return Hindrance("incomparable", f"another unit: {before.unit} -> {after.unit}")
    return _other_prompts(before, after) or _other_number(before, after)


def _other_prompts(before: Reference, after: Reference) -> Hindrance | None:
    """Other texts are another question; another choice among the same texts is no answer yet."""
    old, new = _sets(before), _sets(after)
    if not old or not new or set(old) == set(new):
        return None
    if _largest(old) == _largest(new):
        chosen = sorted({str(name) for name, _ in set(old) ^ set(new)})
        counts = f"{_counts(old, new)} -> {_counts(new, old)}"
        return Hindrance(
            "inconclusive", f"other prompts of the same {', '.join(chosen)} qualified: {counts}"
        )
    named = sorted({str(name) for name, _ in set(old) ^ set(new)})
    return Hindrance("incomparable", f"other prompts: {', '.join(named)}")


def _other_number(before: Reference, after: Reference) -> Hindrance | None:
    """Another n is another experiment, unless the same prompts in the same profile gave it."""
    if before.n == after.n:
        return None
    same_prompts = bool(before.prompts) and bool(after.prompts)
    if same_prompts and before.profile == after.profile:
        return None
    profile = "" if before.profile == after.profile else f", {before.profile} -> {after.profile}"
    return Hindrance("incomparable", f"n = {before.n} -> {after.n}{profile}")


def new_token_ids(before: Reference, after: Reference) -> bool:
    """Whether the same texts were cut into other tokens."""
    old = {(row.get("name"), row.get("digest")): row.get("tokens") for row in before.prompts}
    new = {(row.get("name"), row.get("digest")): row.get("tokens") for row in after.prompts}
    return any(old[key] != new[key] for key in old.keys() & new.keys())


Sets = Mapping[tuple[Scalar, Scalar], int]


def _sets(reference: Reference) -> Sets:
    return {
        (row.get("name", ""), row.get("digest", "")): int(row.get("n", 0))
        for row in reference.prompts
    }


def _largest(sets: Sets) -> set[tuple[Scalar, Scalar]]:
    """Of each name the set with the most prompts: what the others of that name were chosen from."""
    most: dict[Scalar, tuple[int, tuple[Scalar, Scalar]]] = {}
    for key, n in sets.items():
        if n > most.get(key[0], (-1, key))[0]:
            most[key[0]] = (n, key)
    return {key for _, key in most.values()}


def _counts(sets: Sets, others: Sets) -> str:
    """How many prompts are in the sets that the other side does not have."""
    return "/".join(str(n) for key, n in sets.items() if key not in others) or "none"


def _closeness(before: Reference, after: Reference) -> tuple[bool, ...]:
    """What agrees, the most important first."""
    return (
        before.version == after.version,
        not differences(before.environment, after.environment, MUST_AGREE),
        before.weights == after.weights,
        _part(before, "device") == _part(after, "device"),
        before.environment == after.environment,
    )


def _part(reference: Reference, part: str) -> str:
    return reference.environment.get(part, "")
