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
from interp.strokes import Singles, Turn, turns

INSIDE = frozenset({"resid_mid", "q", "k", "v", "z", "attn_out", "mlp_out"})
AHEAD = 16  # waves whose rows are worked out at once
Variant = tuple[Edit, ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """Cells (variant, prompt) in the order in which waves take them, and all that is written.

    Their own positions are alike: the last `width` of their prompts.
    """

    variant: Int[np.ndarray, " row"]
    prompt: Int[np.ndarray, " row"]
    joins: Int[np.ndarray, " row"]
    rests: Bool[np.ndarray, " row"]
    width: int
    singles: tuple[Singles, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """Cells that are computed together: the rows from `low` to before `high`."""

    rows: Rows
    low: int
    high: int

    @property
    def width(self) -> int:
        """How many positions are each cell's own."""
        return self.rows.width

    @property
    def variant(self) -> Int[np.ndarray, " row"]:
        """The variant of each cell, by number."""
        return self.rows.variant[self.low : self.high]

    @property
    def prompt(self) -> Int[np.ndarray, " row"]:
        """The prompt of each cell, by number."""
        return self.rows.prompt[self.low : self.high]

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """What is written into these rows, in the order of turns."""
        parts = [(each, each.between(self.low, self.high)) for each in self.rows.singles]
        return tuple(each.stroke(part, self.low) for each, part in parts if part.start < part.stop)

    def halves(self) -> list["Batch"]:
        """The same cells in two batches; nothing where there is only one."""
        cut = (self.low + self.high) // 2
        if cut == self.low:
            return []
        return [Batch(self.rows, self.low, cut), Batch(self.rows, cut, self.high)]


@dataclass(frozen=True, eq=False)
class Cells:
    """Every cell of a grid of distinct variants, resolved for one batch of prompts.

    `writes` has them in the order in which a pass meets them, each with its place in the variant;
    `turns` has those that are made together. `width` says how many last positions of its prompt a
    cell computes itself, `joins` from which layer on; a width of 0 is the prompt as it is. An
    `idle` cell has no edit, or none with a dose.
    """

    n_layers: int
    lengths: Int[np.ndarray, " batch"]
    writes: tuple[tuple[tuple[int, Write], ...], ...]
    turns: tuple[Turn, ...]
    width: Int[np.ndarray, "variant batch"]
    joins: Int[np.ndarray, "variant batch"]
    idle: Bool[np.ndarray, "variant batch"]

    @cached_property
    def accounts(self) -> Int[np.ndarray, " variant"]:
        """The number of the first account of each variant; one account an edit."""
        return np.cumsum([0, *(len(parts) for parts in self.writes)])

    @cached_property
    def rests(self) -> Bool[np.ndarray, " variant"]:
        """The variants of one write in the stream: where it changes nothing, nothing is changed."""
        in_stream = np.zeros(len(self.writes), dtype=bool)
        for turn in self.turns:
            in_stream[turn.variant] |= turn.in_stream
        return np.asarray(in_stream & (np.diff(self.accounts) == 1))

    def told(self, variant: int) -> list[Write]:
        """The writes of a variant in the order in which they were asked for."""
        return [write for _, write in sorted(self.writes[variant], key=lambda item: item[0])]

    @property
    def reachable(self) -> bool:
        """Whether waves can apply every write."""
        return all(turn.in_stream or turn.key.site.name in INSIDE for turn in self.turns)

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


def cells(lengths: Sequence[int], variants: Sequence[Sequence[Write]], n_layers: int) -> Cells:
    """Where every variant leaves every prompt."""
    counted = np.array(lengths)
    ordered = tuple(_in_order(writes, n_layers) for writes in variants)
    width = np.zeros((len(variants), len(counted)), dtype=np.int64)
    joins = np.full(width.shape, n_layers, dtype=np.int64)
    idle = np.ones(width.shape, dtype=bool)
    made = turns(ordered, n_layers)
    for turn in made:
        own, whose = turn.reach(counted), turn.variant
        width[whose] = np.maximum(width[whose], own)
        joins[whose] = np.minimum(joins[whose], np.where(own > 0, turn.layer, n_layers))
        idle[whose] &= turn.idle(own)
    return Cells(n_layers, counted, ordered, made, width, joins, idle)


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
    width, joins = grid.width[variant, prompt], grid.joins[variant, prompt]
    order = np.lexsort((prompt, variant, joins, width))
    for own in np.unique(width).tolist():
        alike = order[width[order] == own]
        size = max(tokens // own, 1)
        for start in range(0, len(alike), AHEAD * size):
            part = alike[start : start + AHEAD * size]
            rows = _rows(grid, variant[part], prompt[part], own)
            for low in range(0, len(part), size):
                yield Batch(rows, low, min(low + size, len(part)))


def wave(batch: Batch, chunk: Int[np.ndarray, " prompt"]) -> Wave:
    """The cells of a batch as rows of a wave over the trunk of a chunk."""
    rows, part = batch.rows, slice(batch.low, batch.high)
    place = np.searchsorted(chunk, rows.prompt[part])
    return Wave(place, rows.joins[part], rows.rests[part], rows.width, batch.strokes)


def of_prompts(grid: Cells, chunk: Int[np.ndarray, " prompt"]) -> Bool[np.ndarray, "variant batch"]:
    """The cells of some prompts."""
    named = np.isin(np.arange(len(grid.lengths)), chunk)
    return np.broadcast_to(named, grid.width.shape)


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

    def met(item: tuple[int, Write]) -> tuple[int, bool]:
        return _entered(item[1].site, n_layers), item[1].site.name == "resid_pre"

    return tuple(sorted(enumerate(writes), key=met))


def _rows(
    grid: Cells, variant: Int[np.ndarray, " row"], prompt: Int[np.ndarray, " row"], width: int
) -> Rows:
    """Cells as rows of their own width, and every single write into them."""
    start = grid.lengths[prompt] - width
    found = [turn.singles(variant, prompt, start) for turn in grid.turns]
    singles = tuple(one for one in found if len(one.row))
    joins = grid.joins[variant, prompt]
    return Rows(variant, prompt, joins, grid.rests[variant], width, singles)
