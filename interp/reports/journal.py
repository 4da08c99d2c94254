"""The journal of a run: appended line by line as things are measured, so that a kill loses nothing.

One file for each process that writes, one `write` for each line, flushed to the disk when a test
ends. Nothing is ever rewritten; what a run amounts to is read from the lines (`record.py`).
"""

import errno
import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from interp.errors import DataError, InterpError
from interp.reports.locks import hold_open

if TYPE_CHECKING:
    import numpy as np

SCHEMA: Final = 1


class Journal:
    """One process's part of a run; after a failed write `broken` says why."""

    def __init__(self, run: Path, writer: str) -> None:
        self.run = run
        self.writer = f"{writer}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.broken: InterpError | None = None
        self._sequence = 0
        self._torn = False
        self._path = run / "parts" / f"{self.writer}.jsonl"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL
            self._file = os.open(self._path, flags, 0o644)
            hold_open(self._file)  # whoever reads it sees that we are alive
        except OSError as error:
            raise unwritable(error, run) from None

    def write(self, kind: str, fields: Mapping[str, object]) -> None:
        """Append one line.

        Raises:
            DataError: it could not be written; every line before it is safe.
        """
        self._sequence += 1
        head = {"v": SCHEMA, "kind": kind, "seq": self._sequence, "t": time.time()}
        line = json.dumps({**head, **fields}, allow_nan=False, separators=(",", ":")).encode()
        try:
            self._look()
            self._append(line + b"\n")
        except OSError as error:
            self.broken = unwritable(error, self._path)
            raise self.broken from None

    def sync(self) -> None:
        """Have the disk confirm every line so far.

        Raises:
            DataError: it does not.
        """
        try:
            os.fsync(self._file)
            self._look()
        except OSError as error:
            self.broken = unwritable(error, self._path)
            raise self.broken from None

    def keep_items(self, items: "np.ndarray") -> str:
        """Save per-item outcomes under the hash of their content, and return the hash.

        Raises:
            DataError: they could not be written.
        """
        import numpy as np  # noqa: PLC0415  whoever made the items has loaded it

        held = io.BytesIO()
        np.savez(held, items=items)
        content = held.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        try:
            self._look()
            replace_file(self.run / "artifacts" / f"{digest}.npz", content)
        except OSError as error:
            self.broken = unwritable(error, self.run)
            raise self.broken from None
        return digest

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _look(self) -> None:
        """Make sure that the file is still in its folder: a write to one that is gone succeeds."""
        here = os.fstat(self._file)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        if there is None or (here.st_ino, here.st_dev) != (there.st_ino, there.st_dev):
            raise FileNotFoundError(errno.ENOENT, "the folder of this run is gone, or was moved")

    def _append(self, line: bytes) -> None:
        """One write; a line cut short by a full disk is ended before the next one starts."""
        whole = b"\n" + line if self._torn else line
        written = os.write(self._file, whole)
        self._torn = written < len(whole)
        if self._torn:
            os.write(self._file, whole[written:])  # fails with the reason, or completes the line
            self._torn = False


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def unwritable(error: OSError, where: Path) -> DataError:
    """The error for a report folder that cannot be written to."""
    return DataError(
        "the journal of this run cannot be written",
        expected="a folder that can be written to, with space left",
        received=error.strerror or str(error),
        where=str(where),
        hint="free some space or name another folder with --reports-dir; "
        "what was measured before is kept",
    )
