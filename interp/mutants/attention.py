"""Bugs of attention that is blocked: too little, too much, or for somebody else."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, replaced

EDGES = "interp.backends.taps:Taps.edges"
ORIGIN = "attention knockout, arXiv:2304.14767, as people write it"


def penalised(_right: Any) -> Any:
    """A penalty that lowers a weight instead of a mask that removes it."""

    def without(blocked: Any, mask: Any, query: Any, own: str) -> Any:
        n_query, n_keys = blocked.shape[-2:]
        past = blocked.new_ones(n_query, n_keys).tril(n_keys - n_query)[None, None]
        floats = query.new_zeros(past.shape).masked_fill(~past, float("-inf"))
        seen = floats if mask is None or mask.dtype == past.dtype else mask
        del own
        return seen - 3.0 * blocked.to(query.dtype)

    return without


def for_everybody(right: Any) -> Any:
    """Block the keys for every position, whoever was named."""

    def edges(self: Any, *given: Any) -> Any:
        masks = self._masks
        self._masks = tuple(np.ones_like(mask) if mask.any() else mask for mask in masks)
        found = list(right(self, *given))
        self._masks = masks
        return iter(found)

    return edges


def without_its_end(right: Any) -> Any:
    """Leave out the last block of a window, as `range` does with what it is given."""

    def window(layer: int, k: int, n_layers: int) -> range:
        found = right(layer, k, n_layers)
        return range(found.start, max(found.stop - 1, found.start + 1))

    return window


def in_every_phase(_right: Any) -> Any:
    """Leave a knockout in force while tokens are generated."""
    return lambda self, _phase: self


def the_span_too(right: Any) -> Any:
    """Draw tokens for comparison from all that is before the last, the span included."""

    def besides(self: Any, row: int, place: Any) -> Any:
        if place.draw is None:
            return right(self, row, place)
        n, rng = len(right(self, row, place)), np.random.default_rng([place.draw, *self.ids[row]])
        return np.sort(rng.choice(len(self.ids[row]) - 1, n, replace=False))

    return besides


def whatever_is_hidden(right: Any) -> Any:
    """Tell variants apart by who sees less, not by what is hidden."""
    return lambda edit: right(replace(edit, to=None))


MUTANTS = (
    Mutant(
        "blocked-attention-is-only-lowered",
        ORIGIN,
        replaced("interp.backends.torch_blocking:_without", penalised),
    ),
    Mutant("attention-blocked-for-everybody", ORIGIN, replaced(EDGES, for_everybody)),
    Mutant(
        "window-without-its-end",
        "HoppingTooLate, layers of a window",
        replaced("interp.knockout:window", without_its_end),
    ),
    Mutant(
        "knockout-leaks-into-decoding",
        "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20, a hook that stayed on",
        replaced("interp.edits:Edit.during", in_every_phase),
    ),
    Mutant(
        "compared-with-the-subject-itself",
        "a control that overlaps with what it controls for",
        replaced("interp.encoded:Encoded._besides", the_span_too),
    ),
    Mutant(
        "variants-told-apart-without-what-is-hidden",
        "our own: sweeps of knockouts were one variant",
        replaced("interp.planning:_look", whatever_is_hidden),
    ),
)
