"""How far a value may move from what was accepted before that is called drift."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal, Protocol

from interp.errors import DataError, RequestError, closest
from interp.reports.noise import P_VALUE
from interp.reports.text import number
from interp.reports.values import Scalar

Better = Literal["higher", "lower"]
PORTABLE: Final = 10.0  # on another device or with another attention, the same may differ so much
ROUNDING: Final = {"float32": (1e-5, 1e-4), "float64": (1e-5, 1e-4)}  # absolute, of the value
COARSE: Final = (1e-3, 5e-2)  # half precision, and whatever is quantised
SMALLEST_P: Final = 1e-300


@dataclass(frozen=True)
class Exact:
    """Not at all: for whole numbers and words."""

    kind: Literal["exact"] = "exact"


@dataclass(frozen=True)
class Within:
    """By `abs`, or by the share `rel` of the larger of the two, whichever allows more."""

    abs: float = 0.0
    rel: float = 0.0
    better: Better | None = None
    kind: Literal["within"] = "within"

    def __post_init__(self) -> None:
        """Refuse what is no distance."""
        _checked("within", abs=self.abs, rel=self.rel)


@dataclass(frozen=True)
class TimesNoise:
    """By so many times its measured noise, and at least by the rounding of its dtype."""

    times: float = 4.0
    better: Better | None = None
    kind: Literal["noise"] = "noise"

    def __post_init__(self) -> None:
        """Refuse what is no factor."""
        _checked("noise", times=self.times)


@dataclass(frozen=True)
class Decades:
    """By so many powers of ten: for p-values, which no other distance suits."""

    decades: float = 1.0
    kind: Literal["decades"] = "decades"

    def __post_init__(self) -> None:
        """Refuse what is no distance."""
        _checked("decades", decades=self.decades)


@dataclass(frozen=True)
class Equivalent:
    """By less than a margin, shown on the same items; None for the default of their kind."""

    margin: float | None = None
    better: Better | None = None
    kind: Literal["equivalent"] = "equivalent"

    def __post_init__(self) -> None:
        """Refuse what is no margin."""
        if self.margin is not None:
            _checked("equivalent", margin=self.margin)


Tolerance = Exact | Within | TimesNoise | Decades | Equivalent
KINDS: Final[Mapping[str, type[Tolerance]]] = {
    "exact": Exact,
    "within": Within,
    "noise": TimesNoise,
    "decades": Decades,
    "equivalent": Equivalent,
}
exact: Final = Exact()


def within(*, abs: float = 0.0, rel: float = 0.0, better: Better | None = None) -> Within:  # noqa: A002  as pytest.approx says it
    """A tolerance: by `abs`, or by the share `rel` of the value, whichever allows more."""
    return Within(abs, rel, better)


def noise(times: float, *, better: Better | None = None) -> TimesNoise:
    """A tolerance: by so many times the noise that `interp calibrate` has measured."""
    return TimesNoise(times, better)


def equivalent(margin: float, *, better: Better | None = None) -> Equivalent:
    """A tolerance: by less than `margin`, shown on the same items (docs/baselines.md)."""
    return Equivalent(margin, better)


class Comparable(Protocol):
    """What a tolerance is chosen by: a measured value, or an accepted one."""

    @property
    def value(self) -> Scalar:
        """The number or word."""
        ...

    @property
    def unit(self) -> str:
        """Its unit; `p` for a p-value."""
        ...

    @property
    def items(self) -> str | None:
        """The digest of its per-item outcomes."""
        ...


def default_for(value: Comparable) -> Tolerance:
    """The tolerance of a value for which neither its spec nor its baseline says one."""
    if not isinstance(value.value, float):
        return exact
    if value.unit == P_VALUE:
        return Decades()
    return Equivalent() if value.items else TimesNoise()


@dataclass(frozen=True)
class Band:
    """The largest distance that is allowed, and the same in words."""

    width: float
    words: str


@dataclass(frozen=True)
class Circumstances:
    """What a distance is measured under."""

    noise: float | None = None
    dtype: str = "float32"
    quantized: bool = False
    portable: bool = False  # another device or attention than the one accepted on


def rounding(around: Circumstances) -> tuple[float, float]:
    """How far rounding alone may move a number: absolutely, and as a share of it."""
    return COARSE if around.quantized else ROUNDING.get(around.dtype or "float32", COARSE)


def band(tolerance: Tolerance, before: float, after: float, around: Circumstances) -> Band:
    """How far two numbers may lie apart."""
    largest = max(abs(before), abs(after))
    if isinstance(tolerance, Exact):
        return Band(0.0, "exact")
    if isinstance(tolerance, Decades):
        return Band(tolerance.decades, f"{number(tolerance.decades)} power of ten")
    factor, also = (PORTABLE, f", x {PORTABLE:.0f}") if around.portable else (1.0, "")
    if isinstance(tolerance, Within):
        width = max(tolerance.abs, tolerance.rel * largest)
        return Band(factor * width, f"{_either(tolerance.abs, tolerance.rel)}{also}")
    floor = rounding(around)
    width = max(floor[0], floor[1] * largest)
    times = tolerance.times if isinstance(tolerance, TimesNoise) else 4.0
    if around.noise is None or times * around.noise <= width:
        return Band(factor * width, f"rounding {number(width)}{also}")
    words = f"{times:g} x noise {number(around.noise)}{also}"
    return Band(factor * times * around.noise, words)


def distance(tolerance: Tolerance, before: float, after: float) -> float:
    """How far two numbers lie apart, in the measure of their tolerance."""
    if not isinstance(tolerance, Decades):
        return abs(after - before)
    old, new = (math.log10(max(abs(p), SMALLEST_P)) for p in (before, after))
    return abs(new - old)


def is_better(tolerance: Tolerance, before: float, after: float) -> bool:
    """Whether a move is one that its tolerance declares to be for the better."""
    better = None if isinstance(tolerance, (Exact, Decades)) else tolerance.better
    return (better == "higher" and after > before) or (better == "lower" and after < before)


def to_json(tolerance: Tolerance) -> dict[str, str | float]:
    """The tolerance as a flat object, without what is not set."""
    return {name: part for name, part in asdict(tolerance).items() if part is not None}


def from_json(row: Mapping[str, object]) -> Tolerance:
    """The tolerance that a flat object says.

    Raises:
        DataError: there is none of this kind, or a part of it is not what it must be.
    """
    import msgspec  # noqa: PLC0415  only where a tolerance was kept

    kind = KINDS.get(str(row.get("kind")))
    if kind is None:
        raise DataError("no such tolerance", received=row, hint=closest(str(row), KINDS))
    if unknown := row.keys() - kind.__dataclass_fields__.keys():
        raise DataError(f"a tolerance of kind {row['kind']} has no {min(unknown)}", received=row)
    try:
        return msgspec.convert(dict(row), type=kind)
    except (msgspec.ValidationError, RequestError) as error:
        raise DataError("a tolerance is not what it must be", received=str(error)) from None


def _either(absolute: float, share: float) -> str:
    said = [f"{absolute:g}"] if absolute or not share else []
    return " or ".join([*said, *([f"{100 * share:g} %"] if share else [])])


def _checked(word: str, **parts: float) -> None:
    for name, part in parts.items():
        if not math.isfinite(part) or part < 0:
            raise RequestError(
                "a tolerance is a distance", asked=f"{word}({name}={part})", expected="0 or more"
            )
