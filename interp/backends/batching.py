"""Rows into batches and back, the same for every engine."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from interp.backends.protocol import Decoded, Fired, Keys, Write
from interp.backends.taps import merged
from interp.errors import RequestError
from interp.sites import PER_HEAD


def real_positions(ids: Sequence[Sequence[int]], max_length: int) -> Bool[np.ndarray, "batch pos"]:
    """Where a right-padded batch of these rows has tokens.

    Raises:
        RequestError: a row without tokens, or longer than the model.
    """
    lengths = np.array([len(row) for row in ids])
    if not len(lengths) or not lengths.all() or lengths.max() > max_length:
        raise RequestError(
            "every row has a token and fits the model",
            expected=f"1 to {max_length} tokens a row",
            received=f"{lengths.min(initial=max_length)} to {lengths.max(initial=0)}",
        )
    return np.asarray(np.arange(lengths.max())[None] < lengths[:, None])


def by_length(ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """The numbers of the rows, those of one length together."""
    groups: dict[int, list[int]] = {}
    for row, tokens in enumerate(ids):
        groups.setdefault(len(tokens), []).append(row)
    return list(groups.values())


def decoded_by_length(
    ids: Sequence[Sequence[int]],
    writes: Sequence[Write],
    decode: Callable[[Sequence[Sequence[int]], Sequence[Write]], Decoded],
) -> Decoded:
    """Rows of one length decoded together, so that no row sees padding, and put in order again.

    Args:
        ids: the rows.
        writes: the edits, for all rows.
        decode: decodes rows of one length, with the part of the edits that concerns them.
    """
    new: dict[int, tuple[int, ...]] = {}
    passes = [0] * len(ids)
    fired: list[list[Fired]] = [[] for _ in writes]
    for rows in by_length(ids):
        batch = [ids[row] for row in rows]
        decoded = decode(batch, [for_rows(write, rows, len(batch[0])) for write in writes])
        new.update(zip(rows, decoded.new_ids, strict=True))
        for row, count in zip(rows, decoded.passes, strict=True):
            passes[row] = count
        for parts, one in zip(fired, decoded.fired, strict=True):
            parts.append(one)
    return Decoded(
        tuple(new[row] for row in range(len(ids))), tuple(passes), tuple(map(merged, fired))
    )


def for_rows(write: Write, rows: Sequence[int], length: int) -> Write:
    """The part of a write that concerns these rows, which all have this length."""
    feature = 2 if write.site.name in PER_HEAD else 1
    picked, value = list(rows), write.value
    if value.ndim > feature:
        value = value[picked] if value.ndim == feature + 1 else value[picked, :length]
    return replace(
        write,
        value=value,
        alpha=write.alpha[picked],
        mask=write.mask[picked, :length],
        generated=write.generated[picked],
        thoughts=None if write.thoughts is None else write.thoughts[picked],
        keys=None if write.keys is None else _keys_of(write.keys, picked, length),
    )


def _keys_of(keys: Keys, rows: list[int], length: int) -> Keys:
    return Keys(keys.prompt[rows, :length], keys.thoughts[rows], keys.generated[rows])


def until(ids: Sequence[int], end: frozenset[int]) -> tuple[int, ...]:
    """The tokens up to and including the first end token."""
    for place, token in enumerate(ids):
        if token in end:
            return tuple(ids[: place + 1])
    return tuple(ids)
