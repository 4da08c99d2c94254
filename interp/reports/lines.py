"""The lines of a run as they were written, read from its parts and from what was merged of it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from interp.errors import DataError
from interp.reports.journal import SCHEMA
from interp.reports.locks import is_held

MERGED: Final = "merged.jsonl"
HEAD: Final = "merged"  # the kind of the first line of a merged file
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Lines:
    """Lines, each with its writer; how many were torn, and who is still writing."""

    rows: tuple[Line, ...]
    torn: Mapping[str, int]  # by writer
    alive: frozenset[str] = frozenset()  # writers


def read_folder(folder: Path) -> Lines:
    """Every line that a run has left in its folder; one that is in two files counts twice here.

    Raises:
        DataError: there is no run in this folder, or a newer version wrote it.
    """
    parts = sorted((folder / "parts").glob("*.jsonl"))
    found = [_part(path) for path in parts]
    if (folder / MERGED).is_file():
        found.append(_merged(folder / MERGED))
    if not found:
        raise DataError(
            "there is no run here", expected=f"parts/*.jsonl or {MERGED}", where=str(folder)
        )
    alive = frozenset(path.stem for path in parts if is_held(path))
    return Lines(together(found).rows, together(found).torn, alive)


def together(found: Iterable[Lines]) -> Lines:
    """The lines of several; of two copies of a writer's part, the longer one tells what is torn."""
    rows: list[Line] = []
    copies: dict[str, tuple[int, int]] = {}
    alive: set[str] = set()
    for one in found:
        rows += one.rows
        alive |= one.alive
        lengths = Counter(row["writer"] for row in one.rows)
        for writer in {*lengths, *one.torn}:
            copy = (lengths[writer], one.torn.get(writer, 0))
            copies[writer] = max(copies.get(writer, (0, 0)), copy)
    torn = {writer: torn for writer, (_, torn) in sorted(copies.items()) if torn}
    return Lines(tuple(rows), torn, frozenset(alive))


def read_lines(path: Path) -> Iterator[Line | None]:
    """The lines of one file; None for one that is torn.

    Raises:
        DataError: it cannot be read, or a newer version of this library wrote it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            "a part of this run cannot be read",
            received=error.strerror or str(error),
            where=str(path),
        ) from None
    for text in content.split(b"\n"):
        if text:
            row = _line(text)
            if row is not None and row["v"] != SCHEMA:
                raise _unknown_version(row["v"], path)
            yield row


def _line(text: bytes) -> Line | None:
    try:
        row = json.loads(text, parse_constant=_no_number)
    except ValueError:
        return None
    whole = isinstance(row, dict) and {"v", "kind", "seq", "t"} <= row.keys()
    return row if whole and _is_number(row["seq"]) and _is_number(row["t"]) else None


def _no_number(word: str) -> float:
    raise ValueError(word)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _unknown_version(version: object, path: Path) -> DataError:
    return DataError(
        "this version of interp does not know the version of this journal; a newer version wrote "
        "it, or none",
        expected=f"version {SCHEMA}",
        received=f"version {version}",
        where=str(path),
        hint="read it with the version of interp that its manifest.json names",
    )


def _part(path: Path) -> Lines:
    found = list(read_lines(path))
    rows = tuple({**row, "writer": path.stem} for row in found if row is not None)
    torn = len(found) - len(rows)
    return Lines(rows, {path.stem: torn} if torn else {})


def _merged(path: Path) -> Lines:
    """A merged file: its lines name their writers, its head says what was torn in the parts."""
    found = list(read_lines(path))
    rows = [row for row in found if row is not None and isinstance(row.get("writer"), str)]
    torn = dict(_torn_before(row for row in found if row is not None and row["kind"] == HEAD))
    if lost := sum(row is None for row in found):
        torn[path.name] = torn.get(path.name, 0) + lost
    return Lines(tuple(row for row in rows if row["kind"] != HEAD), torn)


def _torn_before(heads: Iterable[Line]) -> Iterator[tuple[str, int]]:
    for head in heads:
        torn = head.get("torn")
        yield from torn.items() if isinstance(torn, dict) else ()
