"""The noise of a measured value: how far it moves when nothing that matters is changed.

`interp calibrate` measures it, `reports/noise/<model>.jsonl` keeps it, and a claim that is smaller
than the noise of what it rests on is inconclusive.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from interp.errors import DataError
from interp.reports.journal import replace_file
from interp.reports.text import number, plain
from interp.reports.values import Identity, Scalar, Value

PLAIN: Final = "plain"
VARIATIONS: Final = ("repeat", "order", "batch-4", "batch-1", "threads-2", "eager")
ONLY_ON_TORCH: Final = ("threads-2", "eager")  # mlx-lm has one attention, and MLX its own threads
ENVIRONMENT: Final = ("backend", "device", "dtype", "quantization")
P_VALUE: Final = "p"  # the unit of a probability that is claimed to be small


@dataclass(frozen=True, order=True)
class Place:
    """What a noise belongs to: one value of one model, in one class of environments.

    Labels and environment are text, so that a place can be looked up.
    """

    spec_id: str
    spec_version: int
    metric: str
    labels: str
    params: str
    environment: str


@dataclass(frozen=True)
class Noise:
    """One line of a noise file.

    `spread` is the largest distance from the plain run's value over `variations` variations, `by`
    the variation it was, empty where nothing moved. It counts for these weights only.
    """

    spec_id: str
    spec_version: int
    metric: str
    labels: Mapping[str, Scalar]
    params: str
    environment: Mapping[str, str | None]
    weights: str | None
    value: int | float
    spread: float
    by: str
    variations: int
    kind: Literal["noise"] = "noise"

    @property
    def place(self) -> Place:
        """What it belongs to."""
        labels, environment = _text(self.labels), _text(self.environment)
        return Place(self.spec_id, self.spec_version, self.metric, labels, self.params, environment)

    @property
    def name(self) -> str:
        """The metric with its labels, as `Value.name`."""
        labels = ", ".join(f"{key}={value}" for key, value in sorted(self.labels.items()))
        return f"{self.metric}[{labels}]" if labels else self.metric


Known = Mapping[Place, Noise]


def environment_of(identity: Identity) -> dict[str, str | None]:
    """The class of environments that a noise is shared in: not the attention, which is varied."""
    found = {name: identity.get(name) for name in ENVIRONMENT}
    return {name: None if value is None else str(value) for name, value in found.items()}


def weights_of(identity: Identity) -> str | None:
    """The digest of a model's weights; None where it has none."""
    digest = identity.get("weights_digest")
    return None if digest is None else str(digest)


def place_of(value: Value, identity: Identity, params: str) -> Place:
    """Where the noise of a value is kept."""
    labels, environment = _text(value.labels), _text(environment_of(identity))
    return Place(value.spec_id, value.spec_version, value.metric, labels, params, environment)


def find_noise(known: Mapping[str, Known], value: Value, params: str) -> Noise | None:
    """The noise of a value on these very weights, by model; None where it was not measured."""
    if value.model is None or not (of_model := known.get(str(value.model_id))):
        return None
    found = of_model.get(place_of(value, value.model, params))
    return found if found and found.weights == weights_of(value.model) else None


def drowned(value: Value, noise: Noise | None) -> str:
    """Why nothing can be said by this value; empty where it is larger than its noise.

    A p-value is claimed to be small, and is not an effect. A value whose own interval is wider
    than its noise is judged by its interval.
    """
    if noise is None or not noise.spread or isinstance(value.value, str) or value.unit == P_VALUE:
        return ""
    half = 0.0 if value.low is None or value.high is None else (value.high - value.low) / 2
    if abs(value.value) > noise.spread or half > noise.spread:
        return ""
    return plain(
        f"{value.name} = {number(value.value)} is no larger than its noise, "
        f"{number(noise.spread)} ({noise.by})"
    )


def is_visible(value: Scalar, noise: float) -> bool:
    """Whether a noise is larger than the rounding of the digits that a value is shown with."""
    if not isinstance(value, float):
        return noise > 0
    last = Decimal(number(value)).as_tuple().exponent
    return noise > 0.5 * 10.0 ** int(last)


def noise_file(reports: Path, model: str) -> Path:
    """Where the noise of a model's values is kept."""
    return reports / "noise" / f"{model}.jsonl"


def load_noise(path: Path) -> dict[Place, Noise]:
    """The noise of one model's values; nothing where there is no file.

    Raises:
        DataError: a line is not what it must be, or two are about the same.
    """
    if not path.is_file():
        return {}
    known: dict[Place, Noise] = {}
    try:
        for row, text in enumerate(path.read_bytes().split(b"\n"), start=1):
            if not text.strip():
                continue
            noise = _line(text, f"{path}:{row}")
            if known.setdefault(noise.place, noise) is not noise:
                raise _refused("a second line about the same value", f"{path}:{row}")
    except OSError as error:
        raise _refused(error.strerror or str(error), str(path)) from None
    return known


def save_noise(path: Path, rows: Iterable[Noise]) -> None:
    """Write a noise file whole or not at all: one value a line, in the order of places.

    Raises:
        DataError: it cannot be written.
    """
    lines = (_text(asdict(row)) + "\n" for row in sorted(rows, key=lambda row: row.place))
    try:
        replace_file(path, "".join(lines).encode())
    except OSError as error:
        raise DataError(
            "the noise of this model cannot be kept",
            received=error.strerror or str(error),
            where=str(path),
            hint="name another folder with --reports-dir",
        ) from None


def updated(old: Known, new: Iterable[Noise], *, complete: bool) -> list[Noise]:
    """What a file holds after a calibration.

    A complete one replaces all there was of its environments; another one, what it measured.
    """
    fresh = {row.place: row for row in new}
    environments = {place.environment for place in fresh} if complete else set()
    kept = {place: row for place, row in old.items() if place.environment not in environments}
    return [*{**kept, **fresh}.values()]


def _line(text: bytes, where: str) -> Noise:
    import msgspec  # noqa: PLC0415  only where there is a file

    try:
        noise = msgspec.json.decode(text, type=Noise)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _refused(str(error), where) from None
    if noise.spread < 0:
        raise _refused(f"spread = {noise.spread}", where)
    return noise


def _refused(received: str, where: str) -> DataError:
    return DataError(
        "a line of this noise file is not what it must be",
        expected='{"kind": "noise", "spec_id": "...", "metric": "...", "spread": 0.001, ...}',
        received=received,
        where=where,
        hint="restore the file from git, or delete it and run: interp calibrate",
    )


def _text(content: Mapping[str, object]) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False, ensure_ascii=False)
