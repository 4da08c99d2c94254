"""What a spec measured: one number with its uncertainty, its labels and the model it is about."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from interp.errors import NonFiniteError, RequestError

if TYPE_CHECKING:
    import numpy as np

Scalar = str | int | float | bool
Identity = Mapping[str, Scalar | None]


@runtime_checkable
class EstimateLike(Protocol):
    """Whatever has a mean, an interval and a number of items: `interp.stats.Estimate` and kin."""

    @property
    def mean(self) -> float:
        """The point estimate."""
        ...

    @property
    def low(self) -> float:
        """The lower end of its interval."""
        ...

    @property
    def high(self) -> float:
        """The upper end."""
        ...

    @property
    def n(self) -> int:
        """The number of items behind it."""
        ...


@dataclass(frozen=True)
class Reading:
    """A number as it was handed over, checked: finite, and of a kind that JSON can hold."""

    value: Scalar
    low: float | None = None
    high: float | None = None
    n: int | None = None
    p: float | None = None
    items: "np.ndarray | None" = None


@dataclass(frozen=True)
class Value:
    """One line of kind `value` in a journal.

    Two runs measured the same thing when spec_id, spec_version, metric, labels and model agree.
    """

    spec_id: str
    spec_version: int
    metric: str
    value: Scalar
    low: float | None
    high: float | None
    n: int | None
    p: float | None
    unit: str
    published: str | None
    labels: Mapping[str, Scalar]
    items: str | None  # sha256 of the artifact that holds the per-item outcomes
    model: Identity | None
    nodeid: str
    ledger: Sequence[Mapping[str, object]] = ()  # the edits of the runs before it, by kind
    noise: float | None = None  # how far harmless changes move it (interp.reports.noise)
    spec_hash: str | None = None  # of the code that measured it: shown, never decides anything
    prompts: Sequence[Mapping[str, object]] = ()  # of the runs before it: name, digest, n, tokens
    tolerance: Mapping[str, object] | None = None  # how far it may drift, where the spec says so
    partial: bool = False  # its case did not end: set by the reader, never written as true

    @property
    def model_id(self) -> str | None:
        """The id of the model, None for a value that is about no model."""
        return None if self.model is None else str(self.model["id"])

    @property
    def name(self) -> str:
        """The metric with its labels, e.g. `accuracy[layer=3, position=last]`."""
        labels = ", ".join(f"{key}={value}" for key, value in sorted(self.labels.items()))
        return f"{self.metric}[{labels}]" if labels else self.metric


def reading(value: object, *, n: int | None = None) -> Reading:
    """An estimate or a plain value as a `Reading`.

    Raises:
        NonFiniteError: a number in it is NaN or infinite.
        RequestError: it is neither an estimate nor a scalar, or its items are not numbers.
    """
    if not isinstance(value, EstimateLike):
        return Reading(scalar(value), n=n)
    p = getattr(value, "p", None)
    numbers = {"mean": value.mean, "low": value.low, "high": value.high, "p": p}
    mean, low, high, p = (
        None if number is None else _finite(name, float(number)) for name, number in numbers.items()
    )
    assert mean is not None  # noqa: S101  the protocol says so, mypy cannot
    return Reading(mean, low, high, n or int(value.n), p, _items(value))


def scalar(value: object) -> Scalar:
    """A Python scalar; numpy's scalars and arrays of no dimension become one.

    Raises:
        NonFiniteError: it is NaN or infinite.
        RequestError: it is not a scalar.
    """
    if _size(value) == 0 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return _finite("value", float(value))
    if isinstance(value, (str, int)):
        return value
    raise RequestError(
        "a measured value or label is a number, a word or an estimate",
        expected="float, int, str, bool or Estimate",
        received=type(value).__name__,
        hint="reduce it first, e.g. interp.stats.proportion(...) of the outcomes per prompt",
    )


def tolerance_of(given: object) -> Mapping[str, object] | None:
    """A tolerance as JSON can hold it: its kind and what goes with it, e.g. `within(abs=0.01)`.

    Raises:
        RequestError: it is none of the words for a tolerance.
    """
    if given is None:
        return None
    row = asdict(given) if is_dataclass(given) and not isinstance(given, type) else {}
    if "kind" not in row:
        raise RequestError(
            "a tolerance is one of the words for it",
            expected="exact, within(abs=..., rel=...), noise(times) or equivalent(margin)",
            received=repr(given),
            hint="tolerance=within(abs=0.01)",
        )
    return {name: part for name, part in row.items() if part is not None}


def _size(value: object) -> int:
    return int(getattr(value, "ndim", 0))


def _finite(name: str, number: float) -> float:
    if math.isfinite(number):
        return number
    raise NonFiniteError(
        "a measured value is a finite number",
        expected="a finite number",
        received=f"{name} = {number}",
        hint="measure the items that have a value, and their number; or say why there is none",
    )


def _items(estimate: Any) -> "np.ndarray | None":
    items = getattr(estimate, "items", None)
    if items is None:
        return None
    import numpy as np  # noqa: PLC0415  whoever made the items has loaded it

    array = np.asarray(items)
    if array.dtype.kind not in "biuf":
        raise RequestError("items are numbers or booleans", received=str(array.dtype))
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        worst = int(np.flatnonzero(~np.isfinite(array))[0])
        raise NonFiniteError(
            "the items of a measured value are finite",
            received=f"item {worst} = {array.flat[worst]}",
        )
    return array
