"""Writes of many variants as single writes into rows, those at one site together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from interp.backends.protocol import Op, Write
from interp.backends.sharing import Stroke, stream_layer
from interp.sites import PER_HEAD, Site

Key = tuple[Site, int, Op, int]  # writes of one turn, with heads of one count, go together


class Strokes:
    """The strokes of a batch, as they come."""

    def __init__(self) -> None:
        """None yet."""
        self._parts: dict[Key, list[Stroke]] = {}

    def add(self, key: Key, one: Stroke) -> None:
        """The strokes of one write."""
        self._parts.setdefault(key, []).append(one)

    def all(self) -> tuple[Stroke, ...]:
        """Those of one site, turn and kind as one, in the order of their turns."""
        ordered = sorted(self._parts.items(), key=lambda item: item[0][1])
        return tuple(_joined(site, found) for (site, *_), found in ordered)


def keys(writes: Sequence[Write], n_layers: int) -> tuple[Key, ...]:
    """What the writes of a variant go together with: at one site a later one finds the earlier."""
    turns: dict[Site, int] = {}
    found = []
    for write in writes:
        site = _target(write.site, n_layers)
        turn = turns[site] = turns.get(site, -1) + 1
        heads = 0 if write.heads is None else len(write.heads)
        found.append((site, turn, write.op, heads))
    return tuple(found)


def stroke(
    write: Write,
    account: int,
    row: Int[np.ndarray, " n"],
    prompt: Int[np.ndarray, " n"],
    places: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]],
) -> Stroke:
    """A write as single writes: of these prompts into these rows.

    Args:
        write: what to do.
        account: whose ledger it goes to.
        row: the rows.
        prompt: their prompts.
        places: the positions written to, as the rows count them and as the prompts do.
    """
    n, extra = len(row), write.value.ndim - (2 if write.site.name in PER_HEAD else 1)
    values, which = write.value[None], np.zeros(n, dtype=np.int64)
    if extra == 1:
        values, which = write.value, prompt
        if n < len(values):
            values, which = values[prompt], np.arange(n)
    if extra == 2:  # noqa: PLR2004  one value a position of a row
        values, which = write.value[prompt, places[1]], np.arange(n)
    heads = None if write.heads is None else np.tile(write.heads, (n, 1))
    return Stroke(
        write.site, write.op, row, places[0], which, np.full(n, account),
        np.asarray(values, np.float32), write.alpha[prompt], heads,
    )  # fmt: skip


def _target(site: Site, n_layers: int) -> Site:
    """The site as a wave knows it: what lies between two layers is the input of the second."""
    layer = stream_layer(site, n_layers)
    return site if layer is None else Site("resid_pre", layer)


def _joined(site: Site, strokes: Sequence[Stroke]) -> Stroke:
    """Strokes at one site as one."""
    starts = np.cumsum([0, *(len(one.values) for one in strokes)])
    heads = [one.heads for one in strokes if one.heads is not None]
    return Stroke(
        site,
        strokes[0].op,
        np.concatenate([one.row for one in strokes]),
        np.concatenate([one.at for one in strokes]),
        np.concatenate([one.which + start for one, start in zip(strokes, starts, strict=False)]),
        np.concatenate([one.account for one in strokes]),
        np.concatenate([one.values for one in strokes]),
        np.concatenate([one.alpha for one in strokes]),
        np.concatenate(heads) if heads else None,
    )
