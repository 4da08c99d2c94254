"""Bugs of the MLX backend: taps that do nothing, a rope that got lost, packed weights read raw."""

from importlib import import_module
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, both, replaced

TAPPED = "interp.backends.mlx_places:_tapped"
LEGACY = "interp.backends.mlx_loading:legacy_keys"


def beside(_right: Any) -> Any:
    """Put a stand-in where nobody looks: the module itself is called as ever."""
    return lambda _module, _places: lambda: None


def for_the_class(_right: Any) -> Any:
    """Set the method on the class: every model of the family has the taps."""

    def tapped(module: Any, places: Any) -> Any:
        kind = type(module)
        own = kind.__call__

        def call(self: Any, x: Any, *rest: Any, **kwargs: Any) -> Any:
            for place in places:
                x = place.tap(x) if place.on == "input" else x
            out = own(self, x, *rest, **kwargs)
            for place in places:
                out = place.tap(out) if place.on == "output" else out
            return out

        kind.__call__ = call
        return lambda: setattr(kind, "__call__", own)

    return tapped


def raw(_right: Any) -> Any:
    """Read the packed integers as if they were the weights."""

    def float_weight(module: Any) -> Any:
        if "scales" not in module:
            return module.weight
        core = import_module("mlx.core")  # where MLX is
        ones, zeros = core.ones_like(module.scales), core.zeros_like(module.scales)
        how = {"group_size": module.group_size, "bits": module.bits}
        return core.dequantize(module.weight, ones, zeros, **how)

    return float_weight


def stale(_right: Any) -> Any:
    """Decode every row from its prompt's own keys and values, edited or not."""
    return lambda _self, _layer, rows: (None, np.zeros((len(rows), 0), dtype=bool))


def one_token_short(right: Any) -> Any:
    """Let rows go on one token too early in their prompts."""
    return lambda self, hidden, some, length: right(self, hidden, some, max(length - 1, 1))


MUTANTS = (
    Mutant("mlx-taps-a-stand-in", "mlx-vlm #998", replaced(TAPPED, beside), needs="mlx"),
    Mutant("mlx-taps-the-class", "mlx-vlm #998", replaced(TAPPED, for_the_class), needs="mlx"),
    Mutant(
        "mlx-loses-the-rope",
        "mlx-lm #953",
        both(
            replaced(LEGACY, lambda _: lambda _config: {}),
            replaced("interp.backends.mlx_loading:_refuse_other_rope", lambda _: lambda *_: None),
        ),
        needs="mlx",
    ),
    Mutant(
        "mlx-reads-packed-weights-raw",
        "backends: uint32 weights of a quantised linear layer",
        replaced("interp.backends.mlx:float_weight", raw),
        needs="mlx",
    ),
    Mutant(
        "mlx-prefix-shared-although-it-is-edited",
        "a clean prefix under steering everywhere, wrong by 0.4 to 1.6",
        replaced("interp.backends.mlx_growing:Growth._brought", stale),
        needs="mlx",
    ),
    Mutant(
        "mlx-rows-go-on-one-token-early",
        "a cache's offset that is not where its rows are",
        replaced("interp.backends.mlx_walk:Walk._called", one_token_short),
        needs="mlx",
    ),
)
