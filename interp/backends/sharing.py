"""What a backend may offer beyond `Backend`: rows that share what their prompts have in common.

A backend without it loses nothing but speed: every sweep has a plain path. The *trunk* is the
unedited pass over the prompts, with its keys and values. A *wave* is a batch of rows that leave
the trunk: each from its own layer, all at the same distance from the end of their prompt. Nothing
below a row's layer and nothing before its first edited position is computed again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.backends.protocol import Op
from interp.sites import Site

OwnKeys = Any  # an engine's own keys and values of a wave's rows, kept for decoding


@dataclass(frozen=True, eq=False)
class Stroke:
    """Many single writes at one site, each of one value into one position of one row.

    `site` is `resid_pre(layer)` for every write to the residual stream between two layers, with the
    number of layers for what the final norm reads. `at` counts from the first position of the
    row's own; `which` says whose of the `values` is written, `account` whose ledger it goes to.
    """

    site: Site
    op: Op
    row: Int[np.ndarray, " n"]
    at: Int[np.ndarray, " n"]
    which: Int[np.ndarray, " n"]
    account: Int[np.ndarray, " n"]
    values: Float[np.ndarray, "m *feature"]  # noqa: F821  a shape
    alpha: Float[np.ndarray, " n"]
    heads: Int[np.ndarray, "n head"] | None


@dataclass(frozen=True, eq=False)
class Moved:
    """What strokes did, a single write each: the norm of the change, and of what was there."""

    account: Int[np.ndarray, " n"]
    delta: Float[np.ndarray, " n"]
    norm: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Wave:
    """Rows that leave the trunk, in the order of their prompts.

    `joins` is the first layer that a row runs itself; `n_layers` means the final norm alone.
    `rests` names the rows with a single write in the stream: where it changes nothing, they are
    their prompt as it is.
    """

    prompt: Int[np.ndarray, " row"]
    joins: Int[np.ndarray, " row"]
    rests: Bool[np.ndarray, " row"]
    width: int
    strokes: tuple[Stroke, ...]


@dataclass(frozen=True, eq=False)
class Waved:
    """What the final norm would read at each row's last position, and what it took."""

    hidden: Float[np.ndarray, "row d_model"]
    moved: tuple[Moved, ...]
    layer_tokens: int
    own: OwnKeys = None


@dataclass(frozen=True, eq=False)
class Grove:
    """Rows that have read their prompts and are to be decoded, in the order of their prompts.

    `hidden` is what the final norm reads at a row's last position. `brought` are the waves that
    rows come from: what they kept, and which row each row of theirs is here, -1 for none.
    """

    prompt: Int[np.ndarray, " row"]
    hidden: Float[np.ndarray, "row d_model"]
    strokes: tuple[Stroke, ...]
    brought: tuple[tuple[OwnKeys, Int[np.ndarray, " wave_row"]], ...]


@dataclass(frozen=True, eq=False)
class Grown:
    """What greedy decoding gave: new tokens a row, and what it took."""

    new_ids: tuple[tuple[int, ...], ...]
    moved: tuple[Moved, ...]
    layer_tokens: int


@dataclass(frozen=True, eq=False)
class TrunkPlan:
    """What a trunk must keep: where rows will leave it.

    `first` is each prompt's earliest position that a row takes over, `layers` the layers they join.
    """

    ids: Sequence[Sequence[int]]
    first: Int[np.ndarray, " prompt"]
    layers: frozenset[int]


@runtime_checkable
class Trunk(Protocol):
    """The unedited pass over some prompts, kept by the engine until it is let go."""

    @property
    def hidden(self) -> Float[np.ndarray, "prompt d_model"]:
        """What the final norm reads at each prompt's last position."""
        ...

    @property
    def layer_tokens(self) -> int:
        """What the pass took: layers times tokens, padding aside."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """The steps of a planned sweep, on one engine.

    Any step raises MemoryError where it does not fit: it is then asked for in smaller parts.
    """

    @property
    def refused(self) -> str:
        """Why this model cannot share; empty where nothing is known against it."""
        ...

    @property
    def tokens_at_once(self) -> int:
        """How many tokens saturate the device."""
        ...

    @property
    def working_set(self) -> int:
        """How many bytes are worth computing at once, whatever is free at the moment."""
        ...

    def bytes_a_token(self, longest: int) -> int:
        """What one token of a wave takes at most, with prompts of at most this length."""
        ...

    def trunk(self, plan: TrunkPlan) -> Trunk:
        """The unedited pass over prompts of any lengths."""
        ...

    def wave(self, trunk: Any, wave: Wave, *, keep: bool = False) -> Waved:
        """The rows of a wave from where they join to the end; their keys and values if asked."""
        ...

    def bytes_a_row(self, own: int) -> int:
        """What a row takes while it is decoded, with so many keys and values of its own."""
        ...

    @property
    def memory(self) -> int:
        """How many bytes a sweep may take where nothing is said."""
        ...

    def grow(self, trunk: Any, grove: Grove, *, max_new_tokens: int) -> Grown:
        """Greedy decoding of rows until each one's end token or the limit; who has ended leaves."""
        ...


@runtime_checkable
class Shares(Protocol):
    """A backend that offers sharing."""

    @property
    def sharing(self) -> Sharing:
        """The steps of a planned sweep."""
        ...


def stream_layer(site: Site, n_layers: int) -> int | None:
    """The layer that reads a site of the stream between layers as its input; None for others."""
    between: Mapping[str, int] = {
        "embed": 0,
        "resid_pre": site.layer or 0,
        "resid_post": (site.layer or 0) + 1,
    }
    layer = between.get(site.name)
    return layer if layer is None or layer <= n_layers else None
