"""Finished parts of a sweep on disk: who is interrupted goes on from there.

A file is a row of records, each with its length and its sha256 before it. What was being written
when the process died does not match, and is dropped with all that follows.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped

from interp.backends.sharing import Moved
from interp.encoded import Encoded
from interp.errors import DataError
from interp.models import Model
from interp.planning import Cells

HEAD = 8 + 32  # bytes before a record: its length, its sha256
MOST = 2**31  # bytes of a file; what comes after is computed again
FIELDS = ("variant", "prompt", "values", "account", "delta", "norm")


@dataclass(frozen=True, eq=False)
class Part:
    """Some finished cells, (variant, prompt) by number: their values, and what their edits did."""

    variant: Int[np.ndarray, " n"]
    prompt: Int[np.ndarray, " n"]
    values: Shaped[np.ndarray, "n ..."]
    moved: Sequence[Moved] = ()


class Kept:
    """The finished parts of one sweep: those of an earlier try, and room for more."""

    def __init__(self, file: Path | None = None) -> None:
        """What is whole in the file stays; without a file nothing is kept."""
        self._file = file
        self._earlier = self._size = 0
        if file is not None and file.is_file():
            self._earlier = self._size = sum(size for _, size in _records(file))
            with file.open("r+b") as out:
                out.truncate(self._size)

    def parts(self) -> Iterator[Part]:
        """Those of an earlier try, one in memory at a time."""
        if self._file is not None and self._earlier:
            read = 0
            for part, size in _records(self._file):
                read += size
                if read > self._earlier:
                    return
                yield part

    def add(self, part: Part) -> None:
        """Write down a part that is finished, while there is room.

        Raises:
            DataError: it cannot be written.
        """
        if self._file is None:
            return
        content = _packed(part)
        self._size += HEAD + len(content)
        if self._size > MOST:
            return
        head = len(content).to_bytes(8, "big") + hashlib.sha256(content).digest()
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as out:
                out.write(head + content)
        except OSError as error:
            raise DataError(
                "finished parts of a sweep cannot be kept",
                received=error.strerror or str(error),
                where=str(self._file),
            ) from None


def kept_for(
    folder: Path | None, model: Model, encoded: Encoded, grid: Cells, how: tuple[str, int | None]
) -> Kept:
    """What is kept of exactly this sweep: these weights, prompts, writes, rung and new tokens."""
    if folder is None:
        return Kept()
    info = model.backend.info
    known = (model.fingerprint, info.dtype, info.device, info.attn_implementation, encoded.ids)
    digest = hashlib.sha256(repr((*known, how)).encode())
    seen: dict[int, bytes] = {}  # what several writes have in common is read once
    for variant in grid.writes:
        digest.update(b"variant")
        for place, write in variant:
            said = (place, write.site, write.op, write.heads, write.value.shape)
            digest.update(repr(said).encode())
            for array in (write.value, write.alpha, write.mask, write.generated):
                if id(array) not in seen:
                    seen[id(array)] = _sha256(array)
                digest.update(seen[id(array)])
    return Kept(folder / f"{digest.hexdigest()[:32]}.kept")


def _sha256(array: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()


def _records(file: Path) -> Iterator[tuple[Part, int]]:
    """The parts that a file holds up to the first that is not whole, and the bytes of each."""
    with file.open("rb") as content:
        while len(head := content.read(HEAD)) == HEAD:
            size = int.from_bytes(head[:8], "big")
            body = content.read(size) if size <= MOST else b""
            if hashlib.sha256(body).digest() != head[8:]:
                return
            yield _unpacked(body), HEAD + size


def _unpacked(body: bytes) -> Part:
    with np.load(io.BytesIO(body), allow_pickle=False) as found:
        variant, prompt, values, account, delta, norm = (found[name] for name in FIELDS)
    return Part(variant, prompt, values, (Moved(account, delta, norm),))


def _packed(part: Part) -> bytes:
    account, delta, norm = (
        np.concatenate([np.zeros(0, kind), *(getattr(one, name) for one in part.moved)])
        for name, kind in (("account", np.int64), ("delta", float), ("norm", float))
    )
    out = io.BytesIO()
    np.savez(
        out, variant=part.variant, prompt=part.prompt, values=part.values,
        account=account, delta=delta, norm=norm,
    )  # fmt: skip
    return out.getvalue()
