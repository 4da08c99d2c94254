"""Bugs of attention that is blocked: too little, too much, or for somebody else."""

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


MUTANTS = (
    Mutant(
        "blocked-attention-is-only-lowered",
        ORIGIN,
        replaced("interp.backends.torch_blocking:_without", penalised),
    ),
    Mutant("attention-blocked-for-everybody", ORIGIN, replaced(EDGES, for_everybody)),
)
