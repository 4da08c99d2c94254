"""The values of papers and source documents, and what a measured value says beside one."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from interp.errors import DataError

Status = Literal["read", "claimed", "computed", "third-party", "recalled"]
Comparable = Literal["value", "direction", "no"]


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of published.toml.

    `low` and `high` are its interval, `margin` a distance that its authors or we state as the same;
    `null` is the number that means no effect, `reference` the id of the value that means it.
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
