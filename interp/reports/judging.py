"""What is said of two values of the same metric: comparable first, then how far they moved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from interp.reports.baselines import Reference, tolerance_of
from interp.reports.comparable import hindrance, is_portable, new_token_ids
from interp.reports.equivalence import Evidence, Outcome, judge, weigh
from interp.reports.items import load_items
from interp.reports.text import number
from interp.reports.tolerance import (
    Circumstances,
    Equivalent,
    Tolerance,
    band,
    default_for,
    distance,
    is_better,
    rounding,
)
from interp.reports.values import Scalar

if TYPE_CHECKING:
    import numpy as np

Kind = Literal[
    "same",
    "within",
    "improved",
    "drifted",
    "changed",
    "inconclusive",
    "new",
    "missing",
    "incomparable",
    "spec changed",
]
Model = str | None


@dataclass(frozen=True)
class Compared:
    """One value beside what it is compared with; `before` or `after` is None where it is not.

    `allowed` says how far it might have moved, `why` what makes it of this kind.
    """

    model: Model
    finding: str
    version: int
    name: str
    before: Reference | None
    after: Reference | None
    kind: Kind
    allowed: str = ""
    why: str = ""


@dataclass(frozen=True)
class Pair:
    """Two values of the same metric on the same model, before anything is said about them."""

    model: Model
    before: Reference | None
    after: Reference | None
    why: str = ""


@dataclass(frozen=True)
class Stores:
    """Where the per-item outcomes of both sides are."""

    before: Path
    after: Path


def judged(pairs: Iterable[Pair], stores: Stores, *, other_weights: bool) -> Iterator[Compared]:
    """What is said of each pair; the statistical ones are judged together."""
    asked = [_ask(pair, stores, other_weights=other_weights) for pair in pairs]
    weighed = [one for one in asked if isinstance(one, Weighed)]
    outcomes = iter(judge([one.evidence for one in weighed]))
    for one in asked:
        yield _told(one, next(outcomes)) if isinstance(one, Weighed) else one


@dataclass(frozen=True)
class Weighed:
    """A pair whose items were looked at, waiting for the others of its run."""

    compared: Compared
    evidence: Evidence
    improved: bool


def _ask(pair: Pair, stores: Stores, *, other_weights: bool) -> Compared | Weighed:
    before, after = pair.before, pair.after
    known = after or before
    assert known is not None  # noqa: S101  a pair has at least one side
    said = Compared(
        pair.model, known.finding, known.version, known.name, before, after, "new", why=pair.why
    )
    if before is None or after is None:
        return said if before is None else replace(said, kind="missing")
    if blocked := hindrance(before, after, other_weights=other_weights):
        return replace(said, kind=blocked.kind, why=blocked.why)
    return _compare(said, before, after, stores)


def _compare(
    said: Compared, before: Reference, after: Reference, stores: Stores
) -> Compared | Weighed:
    if before.value == after.value and before.items == after.items:
        return replace(said, kind="same", why=_tokens(before, after))
    tolerance = tolerance_of(before) or tolerance_of(after) or default_for(after)
    if isinstance(tolerance, Equivalent) and before.items != after.items:
        both = _both(before, after, stores)
        if isinstance(both, str):
            return _by_distance(said, before, after, tolerance, both)
        return _by_items(said, both, tolerance, _around(before, after))
    return _by_distance(said, before, after, tolerance)


def _both(
    before: Reference, after: Reference, stores: Stores
) -> "tuple[np.ndarray, np.ndarray] | str":
    """The items of both sides, or why they cannot be laid side by side."""
    if not before.items or not after.items:
        return "no items to pair"
    old = load_items(stores.before / f"{before.items}.npz")
    new = load_items(stores.after / f"{after.items}.npz")
    if old is None or new is None:
        return f"the items of the {'older' if old is None else 'newer'} value are not here"
    if len(old) != len(new) or (old.dtype.kind == "b") != (new.dtype.kind == "b"):
        return "items of another number or kind"
    if not _is_mean(before.value, old) or not _is_mean(after.value, new):
        return "its items do not average to it"
    return old, new


def _is_mean(value: Scalar, items: "np.ndarray") -> bool:
    far = abs(float(value) - float(items.mean()))
    return far <= 1e-6 * max(1.0, abs(float(value)))  # float32 sums


def _by_items(
    said: Compared,
    both: "tuple[np.ndarray, np.ndarray]",
    tolerance: Equivalent,
    around: Circumstances,
) -> Compared | Weighed:
    import numpy as np  # noqa: PLC0415  only where items are compared

    old, new = both
    if old.dtype.kind != "b":
        absolute, share = rounding(around)
        near = np.maximum(absolute, share * np.maximum(np.abs(old), np.abs(new)))
        if (np.abs(new - old) <= near).all():
            return replace(
                said, kind="within", allowed="rounding", why="every item within rounding"
            )
    evidence = weigh(old, new, margin=tolerance.margin)
    allowed = f"equivalent within {number(evidence.margin)}"
    improved = is_better(tolerance, 0.0, evidence.difference)
    return Weighed(replace(said, allowed=allowed), evidence, improved)


def _told(one: Weighed, outcome: Outcome) -> Compared:
    seen = one.evidence
    why = (
        f"{seen.moved} of {seen.n} items moved, difference {number(seen.difference)} "
        f"[{number(seen.low)}, {number(seen.high)}], p {number(seen.p)}"
    )
    kind: Kind = "improved" if outcome == "changed" and one.improved else outcome
    return replace(one.compared, kind=kind, why=why)


def _by_distance(
    said: Compared, before: Reference, after: Reference, tolerance: Tolerance, why: str = ""
) -> Compared:
    old, new = before.value, after.value
    if (
        isinstance(old, str)
        or isinstance(new, str)
        or isinstance(old, bool)
        or isinstance(new, bool)
    ):
        return replace(said, kind="same" if old == new else "drifted", allowed="exact", why=why)
    allowed = band(tolerance, old, new, _around(before, after))
    why = "; ".join(filter(None, (why, _tokens(before, after))))
    said = replace(said, allowed=allowed.words, why=why)
    if distance(tolerance, old, new) <= allowed.width:
        return replace(said, kind="same" if old == new else "within")
    return replace(said, kind="improved" if is_better(tolerance, old, new) else "drifted")


def _around(before: Reference, after: Reference) -> Circumstances:
    known = [one.noise for one in (before, after) if one.noise is not None]
    return Circumstances(
        noise=max(known, default=None) if before.weights == after.weights else None,
        dtype=after.environment.get("dtype", ""),
        quantized=bool(after.environment.get("quantization")),
        portable=is_portable(before, after),
    )


def _tokens(before: Reference, after: Reference) -> str:
    return "the same texts have other token ids" if new_token_ids(before, after) else ""
