"""What a sweep has to compute: which variants are one, where each leaves its prompt, in what order.

A write at layer l and position p changes layers from l on at positions from p on, its cone. Every
cell (a variant on a prompt) is therefore its prompt's own pass, the trunk, up to its first written
layer and position. The order is a function of the grid alone, whatever else runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from interp.backends.protocol import Write
from interp.backends.sharing import Stroke, TrunkPlan, Wave, stream_layer
from interp.edits import Edit
from interp.sites import Site
from interp.strokes import Key, Strokes, keys, stroke

INSIDE = frozenset({"resid_mid", "q", "k", "v", "z", "attn_out", "mlp_out"})
Variant = tuple[Edit, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """Cells that are computed together: (variant, prompt) by number, their own positions alike."""

    variant: Int[np.ndarray, " row"]
    prompt: Int[np.ndarray, " row"]
    width: int

    def halves(self) -> list["Batch"]:
        """The same cells in two batches; nothing where there is only one."""
        cut = len(self.variant) // 2
        parts = [slice(cut), slice(cut, None)] if cut else []
        return [Batch(self.variant[one], self.prompt[one], self.width) for one in parts]


@dataclass(frozen=True, eq=False)
class Cells:
    """Every cell of a grid of distinct variants, resolved for one batch of prompts.

    `writes` has them in the order in which a pass meets them, each with its place in the variant.
    `width` says how many last positions of its prompt a cell computes itself, `joins` from which
    layer on; a width of 0 is the prompt as it is. An `idle` cell has no edit, or none with a dose.
    """

    n_layers: int
    lengths: Int[np.ndarray, " batch"]
    writes: tuple[tuple[tuple[int, Write], ...], ...]
    width: Int[np.ndarray, "variant batch"]
    joins: Int[np.ndarray, "variant batch"]
    idle: Bool[np.ndarray, "variant batch"]

    @cached_property
    def accounts(self) -> Int[np.ndarray, " variant"]:
        """The number of the first account of each variant; one account an edit."""
        return np.cumsum([0, *(len(parts) for parts in self.writes)])

    @cached_property
    def keys(self) -> tuple[tuple[Key, ...], ...]:
        """Which strokes each write belongs to."""
        return tuple(keys([write for _, write in parts], self.n_layers) for parts in self.writes)

    @cached_property
    def rests(self) -> Bool[np.ndarray, " variant"]:
        """The variants of one write in the stream: where it changes nothing, nothing is changed."""
        return np.array([_rests(parts, self.n_layers) for parts in self.writes])

    @property
    def cone(self) -> int:
        """The layer-tokens of all cones."""
        return int((self.width * (self.n_layers - self.joins)).sum())

    @property
    def once(self) -> int:
        """The layer-tokens of the prompts, each once."""
        return int(self.lengths.sum()) * self.n_layers

    @property
    def pays(self) -> bool:
        """Whether sharing takes less than running every variant over the prompts."""
        return self.once + self.cone < len(self.writes) * self.once


def distinct(variants: Sequence[Variant]) -> tuple[list[Variant], Int[np.ndarray, " variant"]]:
    """The variants that differ, and for each variant which of them it is."""
    known: dict[tuple[object, ...], list[int]] = {}
    first: list[Variant] = []
    which = []
    for variant in variants:
        alike = known.setdefault(tuple(map(_look, variant)), [])
        same = next((n for n in alike if _equal(first[n], variant)), len(first))
        if same == len(first):
            first.append(variant)
            alike.append(same)
        which.append(same)
    return first, np.array(which)


def plannable(writes: Sequence[Write], n_layers: int) -> bool:
    """Whether a wave can apply these writes."""
    return all(
        write.site.name in INSIDE or stream_layer(write.site, n_layers) is not None
        for write in writes
    )


def cells(lengths: Sequence[int], variants: Sequence[Sequence[Write]], n_layers: int) -> Cells:
    """Where every variant leaves every prompt."""
    counted = np.array(lengths)
    width = np.zeros((len(variants), len(counted)), dtype=np.int64)
    joins = np.full(width.shape, n_layers, dtype=np.int64)
    idle = np.ones(width.shape, dtype=bool)
    for number, writes in enumerate(variants):
        for write in writes:
            idle[number] &= _without_effect(write)
            touched = write.mask.any(axis=1)
            own = np.where(touched, counted - write.mask.argmax(axis=1), 0)
            layer = _entered(write.site, n_layers)
            np.maximum(width[number], own, out=width[number])
            joins[number] = np.where(touched, np.minimum(joins[number], layer), joins[number])
    ordered = tuple(_in_order(writes, n_layers) for writes in variants)
    return Cells(n_layers, counted, ordered, width, joins, idle)


def trunks(grid: Cells, tokens: int) -> list[Int[np.ndarray, " prompt"]]:
    """The prompts in chunks of so many tokens at most, padding counted, those of one length near.

    Args:
        grid: all cells.
        tokens: how many tokens a trunk may have; a longer prompt is one by itself.
    """
    chunks: list[list[int]] = []
    for prompt in np.argsort(grid.lengths, kind="stable").tolist():
        if chunks and (len(chunks[-1]) + 1) * int(grid.lengths[prompt]) <= tokens:
            chunks[-1].append(prompt)
        else:
            chunks.append([prompt])
    return [np.array(sorted(chunk)) for chunk in chunks]


def trunk_plan(
    grid: Cells, chunk: Int[np.ndarray, " prompt"], ids: Sequence[Sequence[int]]
) -> TrunkPlan:
    """What the trunk of these prompts must keep."""
    widest = grid.width[:, chunk].max(axis=0, initial=0)
    leaving = np.unique(grid.joins[:, chunk][grid.width[:, chunk] > 0])
    first = grid.lengths[chunk] - np.maximum(widest, 1)
    return TrunkPlan([ids[p] for p in chunk], first, frozenset(leaving.tolist()))


def batches(grid: Cells, chosen: Bool[np.ndarray, "variant batch"], tokens: int) -> Iterator[Batch]:
    """The chosen cells that leave their trunk, those of one width together.

    Those that join late go together too, so that their layers are walked once.
    """
    variant, prompt = np.nonzero(chosen & (grid.width > 0))
    width = grid.width[variant, prompt]
    order = np.lexsort((prompt, variant, grid.joins[variant, prompt], width))
    for own in np.unique(width).tolist():
        alike = order[width[order] == own]
        size = max(tokens // own, 1)
        for start in range(0, len(alike), size):
            part = alike[start : start + size]
            yield Batch(variant[part], prompt[part], own)


def wave(grid: Cells, batch: Batch, chunk: Int[np.ndarray, " prompt"]) -> Wave:
    """The cells of a batch as rows of a wave over the trunk of a chunk."""
    strokes = Strokes()
    order = np.argsort(batch.variant, kind="stable")
    numbers, starts = np.unique(batch.variant[order], return_index=True)
    parts = zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)
    for number, rows in parts:
        first = int(grid.accounts[number])
        for (place, write), key in zip(grid.writes[number], grid.keys[number], strict=True):
            strokes.add(key, _stroke(grid, batch, rows, write, first + place))
    joins = grid.joins[batch.variant, batch.prompt]
    place = np.searchsorted(chunk, batch.prompt)
    return Wave(place, joins, grid.rests[batch.variant], batch.width, strokes.all())


def of_prompts(grid: Cells, chunk: Int[np.ndarray, " prompt"]) -> Bool[np.ndarray, "variant batch"]:
    """The cells of some prompts."""
    named = np.isin(np.arange(len(grid.lengths)), chunk)
    return np.broadcast_to(named, grid.width.shape)


def _without_effect(write: Write) -> Bool[np.ndarray, " batch"]:
    """The rows that a write cannot change."""
    untouched = ~(write.mask.any(axis=1) | write.generated)
    return untouched if write.op == "replace" else untouched | (write.alpha == 0)


def _look(edit: Edit) -> tuple[object, ...]:
    """What edits that are equal have in common, at little cost."""
    dose = np.asarray(edit.alpha, np.float32).tobytes()
    some = edit.vector.reshape(-1)[:: max(edit.vector.size // 16, 1)].tobytes()
    named = (edit.verb, edit.site, edit.at, edit.to, edit.rows, edit.phase, edit.heads, edit.unit)
    return (*named, edit.fingerprint, dose, edit.vector.shape, some)


def _equal(one: Variant, other: Variant) -> bool:
    pairs = zip(one, other, strict=True)
    return all(np.array_equal(a.vector, b.vector, equal_nan=True) for a, b in pairs)


def _entered(site: Site, n_layers: int) -> int:
    """The first layer that a write at a site changes."""
    layer = stream_layer(site, n_layers)
    return (site.layer or 0) if layer is None else layer


def _in_order(writes: Sequence[Write], n_layers: int) -> tuple[tuple[int, Write], ...]:
    """The writes as a pass meets them: an output before the input that it becomes."""
    return tuple(
        sorted(
            enumerate(writes),
            key=lambda item: (
                _entered(item[1].site, n_layers),
                item[1].site.name == "resid_pre",
            ),
        )
    )


def _rests(writes: Sequence[tuple[int, Write]], n_layers: int) -> bool:
    in_stream = [stream_layer(write.site, n_layers) is not None for _, write in writes]
    return in_stream == [True]


def _stroke(
    grid: Cells, batch: Batch, rows: Int[np.ndarray, " n"], write: Write, account: int
) -> Stroke:
    """One write of one variant, on the rows of a batch that are of that variant."""
    prompt = batch.prompt[rows]
    hit, position = np.nonzero(write.mask[prompt])
    at = position - (grid.lengths[prompt[hit]] - batch.width)
    return stroke(write, account, rows[hit], prompt[hit], (at, position))
