"""Writes of many variants as single writes into rows, those that are made together as one.

Everything is resolved once for all cells of a kind, and cut to the rows of a wave: what planning
takes grows with the kinds of writes and the waves, not with the variants of each wave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.backends.protocol import Op, Write
from interp.backends.sharing import Stroke, stream_layer
from interp.sites import PER_HEAD, Site

Numbered = tuple[int, int, Write]  # a variant by number, an account, and what is written
Numbers = Int[np.ndarray, " n"]


class Key(NamedTuple):
    """What writes have in common that are made together: `turn` counts those at a variant's site.

    `axes` are those of a value beside the feature's own: none, [batch] or [batch, pos].
    """

    site: Site
    turn: int
    op: Op
    n_heads: int
    axes: int


@dataclass(frozen=True, eq=False)
class Turn:
    """Writes that are made together, at most one of each variant.

    Masks and values that are the same array are held once: `mask` and `value` say which of the
    `masks` and `values` each write has. `variant` and `account` say whose it is.
    """

    key: Key
    variant: Int[np.ndarray, " write"]
    account: Int[np.ndarray, " write"]
    alpha: Float[np.ndarray, "write batch"]
    generated: Bool[np.ndarray, "write batch"]
    heads: Int[np.ndarray, "write head"] | None
    mask: Int[np.ndarray, " write"]
    masks: tuple[Bool[np.ndarray, "batch pos"], ...]
    value: Int[np.ndarray, " write"]
    values: tuple[Float[np.ndarray, "..."], ...]

    @property
    def in_stream(self) -> bool:
        """Whether it lies between two layers."""
        return self.key.site.name == "resid_pre"

    @property
    def layer(self) -> int:
        """The first layer that it changes."""
        return self.key.site.layer or 0

    def numbers(self, variant: Numbers) -> Numbers:
        """The number of each variant's write among these, -1 where it has none."""
        place = np.minimum(np.searchsorted(self.variant, variant), len(self.variant) - 1)
        return np.where(self.variant[place] == variant, place, -1)

    def reach(self, lengths: Int[np.ndarray, " batch"]) -> Int[np.ndarray, "write batch"]:
        """How many last positions of its prompt a write changes; 0 where it touches nothing."""
        each = [np.where(m.any(axis=1), lengths - m.argmax(axis=1), 0) for m in self.masks]
        return np.asarray(np.array(each)[self.mask])

    def idle(self, reach: Int[np.ndarray, "write batch"]) -> Bool[np.ndarray, "write batch"]:
        """The prompts that a write cannot change."""
        untouched = (reach == 0) & ~self.generated
        return np.asarray(untouched if self.key.op == "replace" else untouched | (self.alpha == 0))

    def singles(self, variant: Numbers, prompt: Numbers, start: Numbers) -> "Singles":
        """The single writes into the prompts of some cells, cell by cell.

        Args:
            variant: of each cell.
            prompt: of each cell.
            start: the position of each prompt that is the first of the cell's own.
        """
        write = self.numbers(variant)
        there = np.flatnonzero(write >= 0)
        write, prompt = write[there], prompt[there]
        under = self.masks[0][prompt]
        for number in range(1, len(self.masks)):
            mine = self.mask[write] == number
            under[mine] = self.masks[number][prompt[mine]]
        cell, position = np.nonzero(under)
        row = there[cell]
        return self._singles(row, position - start[row], write[cell], prompt[cell], position)

    def fed(self, variant: Numbers, prompt: Numbers, row: Numbers) -> "Singles":
        """The single writes into each token that is generated for some cells, in their rows."""
        write = self.numbers(variant)
        on = np.flatnonzero((write >= 0) & self.generated[write, prompt])
        none = np.zeros(len(on), dtype=np.int64)
        return self._singles(row[on], none, write[on], prompt[on], none)

    def _singles(
        self, row: Numbers, at: Numbers, write: Numbers, prompt: Numbers, position: Numbers
    ) -> "Singles":
        heads = None if self.heads is None else self.heads[write]
        return Singles(
            self, row, at, prompt, position, self.value[write], self.account[write],
            self.alpha[write, prompt], heads,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Singles:
    """Single writes of one turn: into which row, and where; what, and on which prompt."""

    turn: Turn
    row: Numbers
    at: Numbers
    prompt: Numbers
    position: Numbers
    value: Numbers
    account: Numbers
    alpha: Float[np.ndarray, " n"]
    heads: Int[np.ndarray, "n head"] | None

    def between(self, low: int, high: int) -> slice:
        """Those into the rows from `low` to before `high`, where they are in the order of rows."""
        return slice(*self.row.searchsorted((low, high)).tolist())

    def stroke(self, part: slice, low: int = 0) -> Stroke:
        """Some of them as one stroke, into rows that are counted from `low`."""
        which, values = self._values(part)
        heads = None if self.heads is None else self.heads[part]
        return Stroke(
            self.turn.key.site, self.turn.key.op, self.row[part] - low, self.at[part], which,
            self.account[part], values, self.alpha[part], heads,
        )  # fmt: skip

    def _values(self, part: slice) -> tuple[Numbers, Float[np.ndarray, "m *feature"]]:  # noqa: F821  a shape
        """The values, each once where all rows have it in common, and which each write has."""
        value, given, axes = self.value[part], self.turn.values, self.turn.key.axes
        if axes == 0 and len(given) == 1:
            return value, np.asarray(given[0][None], np.float32)
        known = np.unique(value)
        if axes == 0:
            shared = [given[number] for number in known]
            return np.searchsorted(known, value), np.asarray(shared, np.float32)
        prompt, position = self.prompt[part], self.position[part]
        if axes == 1 and len(known) * len(given[0]) <= len(value):  # whole, with no row twice
            whole = np.concatenate([given[number] for number in known])
            first = np.searchsorted(known, value) * len(given[0])
            return first + prompt, np.asarray(whole, np.float32)
        own = np.empty((len(value), *given[0].shape[axes:]), np.float32)
        for number in known:
            mine = np.flatnonzero(value == number)
            own[mine] = given[number][(prompt[mine], position[mine])[:axes]]
        return np.arange(len(value)), own


def turns(variants: Sequence[Sequence[tuple[int, Write]]], n_layers: int) -> tuple[Turn, ...]:
    """The writes of all variants, each with its place in its own, those made together as one.

    One account an edit; those at one site are in the order in which a variant makes them.
    """
    found: dict[Key, list[Numbered]] = {}
    first = 0
    for number, parts in enumerate(variants):
        made: dict[Site, int] = {}
        for place, write in parts:
            site = _target(write.site, n_layers)
            turn = made[site] = made.get(site, -1) + 1
            found.setdefault(_key(write, site, turn), []).append((number, first + place, write))
        first += len(parts)
    ordered = sorted(found, key=lambda key: key.turn)
    return tuple(_turn(key, found[key]) for key in ordered)


def _key(write: Write, site: Site, turn: int) -> Key:
    heads = 0 if write.heads is None else len(write.heads)
    axes = write.value.ndim - (2 if site.name in PER_HEAD else 1)
    return Key(site, turn, write.op, heads, axes)


def _target(site: Site, n_layers: int) -> Site:
    """The site as a wave knows it: what lies between two layers is the input of the second."""
    layer = stream_layer(site, n_layers)
    return site if layer is None or site.name == "resid_pre" else Site("resid_pre", layer)


def _turn(key: Key, found: Sequence[Numbered]) -> Turn:
    variant, account, writes = zip(*found, strict=True)
    mask, masks = _once([write.mask for write in writes])
    value, values = _once([write.value for write in writes])
    heads = np.array([write.heads for write in writes]) if key.n_heads else None
    return Turn(
        key, np.array(variant), np.array(account), np.array([write.alpha for write in writes]),
        np.array([write.generated for write in writes]), heads, mask, masks, value, values,
    )  # fmt: skip


def _once(arrays: Sequence[np.ndarray]) -> tuple[Numbers, tuple[np.ndarray, ...]]:
    """Which of the arrays that differ each is; the same array is one, an equal one another."""
    known: dict[int, int] = {}
    which = [known.setdefault(id(array), len(known)) for array in arrays]
    first = dict(zip(which[::-1], arrays[::-1], strict=True))
    return np.array(which), tuple(first[number] for number in range(len(known)))
