"""Bugs of states that are moved: taken elsewhere, under other noise, against an easier null."""

from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from interp.edits import steer
from interp.metrics import probability
from interp.mutants.planting import Mutant, replaced
from interp.positions import position
from interp.sites import embed

TRACING = "ROME, causal_trace.py"
HOPPING = "HoppingTooLate"
EDIT = "interp.tracing:Corruption.edit"


def anew(right: Any) -> Any:
    """Draw the noise again for each cell."""
    calls = count()

    def edit(self: Any, draw: int) -> Any:
        again = np.random.default_rng(next(calls)).permuted(self.noise[draw], axis=-1)
        return replace(right(self, draw), vector=again)

    return edit


def on_the_next_token(_right: Any) -> Any:
    """Let the noise fall a token late."""

    def edit(self: Any, draw: int) -> Any:
        late = np.roll(self.noise[draw], 1, axis=1)
        return steer(embed(), late, at=position("all")).during("prompt")

    return edit


def of_the_likeliest(right: Any) -> Any:
    """Read how likely the likeliest token is, whichever it is."""

    def of(logits: Any, _answers: Any, _foils: Any) -> Any:
        return probability(logits, [(int(token),) for token in logits.argmax(axis=-1)])

    return replace(right, of=of)


def of_the_block_before(right: Any) -> Any:
    """Take each state from the block before the one that is named."""

    def states_at(*given: Any) -> Any:
        found = right(*given)
        return dict(zip(found, [*found.values()][:1] + [*found.values()][:-1], strict=True))

    return states_at


MUTANTS = (
    Mutant("noise-drawn-anew-for-each-cell", TRACING, replaced(EDIT, anew)),
    Mutant("noise-on-the-next-token", TRACING, replaced(EDIT, on_the_next_token)),
    Mutant(
        "window-off-by-one",
        TRACING,
        replaced(
            "interp.tracing:Restored.sites",
            lambda right: lambda self, layer, n: right(self, min(layer + 1, n - 1), n),
        ),
    ),
    Mutant(
        "probability-of-whatever-is-likeliest",
        TRACING,
        replaced("interp.readers:answer_probability", of_the_likeliest),
    ),
    Mutant(
        "state-of-the-block-before",
        "GPT-2 Activation Steering Experiment, 2025-10-21",
        replaced("interp.patching:states_at", of_the_block_before),
    ),
    Mutant(
        "noise-of-another-length",
        HOPPING,
        replaced("interp.norms:scaled", lambda right: lambda values, like: 2 * right(values, like)),
    ),
    Mutant(
        "null-with-fewer-samples",
        HOPPING,
        replaced(
            "interp.patching:sampled_until_right",
            lambda right: lambda *given, **how: 2 * right(*given, **how),
        ),
    ),
)
