"""Bugs of the hook itself: it does not fire, fires on the wrong thing, or does not go away."""

import numpy as np

from interp.mutants.planting import Mutant, replaced

APPLY = "interp.backends.arithmetic:apply"

MUTANTS = (
    Mutant(
        "hook-never-fires",
        "TransformerLens #1688",
        replaced(APPLY, lambda right: lambda x, *rest: right(x, *rest) * 0 + x),
    ),
    Mutant(
        "only-row-0",
        "transformers #39120",
        replaced(
            APPLY,
            lambda right: (
                lambda x, write, mask, constant: right(
                    x, write, mask * (np.arange(len(mask)) == 0)[:, None], constant
                )
            ),
        ),
    ),
    Mutant(
        "sign-flipped",
        "vLLM-Hook #35",
        replaced(
            APPLY,
            lambda right: (
                lambda x, write, mask, constant: (
                    right(x, write, -mask, constant)
                    if write.op == "add"
                    else right(x, write, mask, constant)
                )
            ),
        ),
    ),
)
