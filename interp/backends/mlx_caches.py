"""What mlx-lm takes for the caches of its layers: how rows get the keys and values of a prompt.

A layer of mlx-lm asks its cache for the `offset` of a pass, for its mask, and, given new keys and
values, for all that there are. Rows that share a prompt are, to the layers, rows that go on after
its first tokens. Those with equally many go together: a pass has one offset and one mask.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import create_attention_mask

from interp.errors import RequestError

Mask = Any  # None, "causal" or an array of truth values
Pair = tuple[mx.array, mx.array]  # keys and values, [row, kv_head, pos, d_head]


@dataclass(frozen=True)
class Masking:
    """How a family asks for a mask: as an array or by name, and within which window."""

    as_array: bool
    window: int | None

    def mask(self, asks: int, offset: int) -> Mask:
        """The mask of so many positions after so many others."""
        return create_attention_mask(asks, offset, self.as_array, self.window)


@dataclass(eq=False)
class TrunkCache:
    """One layer's cache in the pass over the prompts: it keeps what it is given."""

    offset: int = 0
    pair: Pair | None = None
    made: list[tuple[Mask, Masking]] = field(default_factory=list)

    def make_mask(self, asks: int, *, return_array: bool, window_size: int | None) -> Mask:
        """A mask, with how it was asked for kept."""
        masking = Masking(return_array, window_size)
        self.made.append((masking.mask(asks, 0), masking))
        return self.made[-1][0]

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> Pair:
        """The same, and nothing before."""
        self.pair = keys, values
        return self.pair


@dataclass(eq=False)
class WaveCache:
    """One layer's cache for rows that go on after the first `offset` tokens of their prompts."""

    offset: int
    before: Pair
    own: Pair | None = None

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> Pair:
        """Those of the prompts' first tokens, then the rows' own."""
        self.own = keys, values
        return appended(self.before, self.own)


@dataclass(eq=False)
class GrowthCache:
    """One layer's cache for rows that have read prompts of one length and are being decoded.

    `own` holds the keys and values of the prompts' last positions for rows that were edited there;
    `is_own` says where, [row, 1, pos, 1].
    """

    kept: Pair
    prompt: mx.array
    length: int
    own: Pair | None
    is_own: mx.array
    fed: Pair | None = None

    @property
    def offset(self) -> int:
        """How many tokens there are by now."""
        return self.length + (0 if self.fed is None else self.fed[0].shape[2])

    def make_mask(self, asks: int, *, return_array: bool, window_size: int | None) -> Mask:
        """A mask after all that there is."""
        return Masking(return_array, window_size).mask(asks, self.offset)

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> Pair:
        """Those of the prompts, the rows' own where they have some, and of what was fed."""
        new = keys, values
        self.fed = new if self.fed is None else appended(self.fed, new)
        return appended(self._read(), self.fed)

    def leave(self, rows: mx.array) -> None:
        """Go on with these rows only."""
        self.prompt, self.is_own = self.prompt[rows], self.is_own[rows]
        self.own = None if self.own is None else picked(self.own, rows)
        self.fed = None if self.fed is None else picked(self.fed, rows)

    def _read(self) -> Pair:
        """The keys and values of the prompts as each row has read them."""
        kept = first(self.kept, self.length, self.prompt)
        if self.own is None:
            return kept
        cut = self.length - self.is_own.shape[2]
        keys, values = (
            mx.concatenate([old[:, :, :cut], mx.where(self.is_own, own, old[:, :, cut:])], axis=2)
            for old, own in zip(kept, self.own, strict=True)
        )
        return keys, values


def first(pair: Pair, length: int, rows: mx.array) -> Pair:
    """The first positions of some rows."""
    return pair[0][:, :, :length][rows], pair[1][:, :, :length][rows]


def picked(pair: Pair, rows: mx.array) -> Pair:
    """Some rows."""
    return pair[0][rows], pair[1][rows]


def appended(pair: Pair, more: Pair) -> Pair:
    """More positions after those that there are."""
    return mx.concatenate([pair[0], more[0]], axis=2), mx.concatenate([pair[1], more[1]], axis=2)


def together(pairs: Iterable[Pair]) -> Pair:
    """The rows of all."""
    keys, values = zip(*pairs, strict=True)
    return mx.concatenate(keys), mx.concatenate(values)


def recipe(value: Any, made: Iterable[tuple[Mask, Masking]]) -> Any:
    """What a layer was given beside the stream, as something that `placed` can give again.

    Raises:
        RequestError: an array that is no mask: it belongs to the positions of the prompts.
    """
    if isinstance(value, TrunkCache):
        return TrunkCache
    for mask, masking in made:
        if value is mask and mask is not None:
            return masking
    if isinstance(value, mx.array):
        raise RequestError(
            "a layer of this family is given an array that is no mask", received=value.shape
        )
    return value


def placed(value: Any, cache: WaveCache, asks: int) -> Any:
    """What rows of a wave are given for it: their own cache, and a mask for where they are."""
    if value is TrunkCache:
        return cache
    return value.mask(asks, cache.offset) if isinstance(value, Masking) else value
