"""The values of papers and source documents, as reports/published.toml has them."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from interp.errors import DataError

SHARE: Final = "1"  # the unit of a rate
EXACT: Final = ("count", "layers", "position")  # units of whole numbers that are not estimated
Z: Final = 1.959963984540054  # of a 95 % interval

Status = Literal["read", "claimed", "computed", "third-party", "recalled"]
Comparable = Literal["value", "direction", "no"]


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of published.toml.

    `low` and `high` are its interval, `margin` a distance that its authors or we state as the same;
    `null` is the number that means no effect, `reference` the id of the value that means it.
    With `parameters`, the size of the model, it is a point of a trend over sizes
    (`interp.reports.scaling`), with all that share its source, metric and unit.
    """

    id: str
    source: str
    model: str
    metric: str
    value: int | float
    unit: str
    status: Status
    comparable: Comparable
    n: int | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    null: float | None = None
    reference: str | None = None
    note: str = ""
    parameters: int | None = None

    @property
    def as_written(self) -> bool:
        """Whether nothing but a document's own words supports it."""
        return self.status == "claimed"

    def interval(self) -> tuple[float, float] | None:
        """Where a replication should land; None where nobody can say.

        Its own interval, else the stated margin around it, else, for a share of n items, Wilson's
        interval; a mean of probabilities spreads less than a share, so there it is too wide, not
        too narrow. A whole number that was counted, not estimated, is itself.
        """
        if self.low is not None and self.high is not None:
            return self.low, self.high
        if self.margin is not None or self.unit in EXACT:
            margin = self.margin or 0.0
            return self.value - margin, self.value + margin
        if self.n is not None and self.unit == SHARE and 0 <= self.value <= 1:
            return _wilson(self.value, self.n)
        return None


def load_published(path: Path) -> dict[str, Published]:
    """Every entry by its id.

    Raises:
        DataError: the file cannot be read, or an entry is not what it must be.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(
            "this is not a readable TOML file", received=error, where=str(path)
        ) from None
    found = {name: _entry(name, table, path) for name, table in tables.items()}
    for entry in found.values():
        if entry.reference is not None and entry.reference not in found:
            raise _refused(f"reference = {entry.reference!r}, which is no id", entry.id, path)
    return found


def _entry(name: str, table: object, path: Path) -> Published:
    fields = {**table, "id": name} if isinstance(table, Mapping) else table
    try:
        return msgspec.convert(fields, Published)
    except msgspec.ValidationError as error:
        raise _refused(str(error), name, path) from None


def _refused(received: str, name: str, path: Path) -> DataError:
    return DataError(
        "an entry of the published values is not what it must be",
        expected='["id"] with source, model, metric, value, unit, status and comparable',
        received=received,
        where=f'{path}: ["{name}"]',
    )


def _wilson(share: float, n: int) -> tuple[float, float]:
    centre, denominator = share + Z**2 / (2 * n), 1 + Z**2 / n
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, (centre - half) / denominator), min(1.0, (centre + half) / denominator)
