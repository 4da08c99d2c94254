"""Bugs of lenses: the wrong map, its wrong place, another model's; the wrong count of a top k."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, replaced

CALL = "interp.tuned_lens:TunedLens.__call__"
TUNED = "arXiv:2303.08112, tuned_lens.nn.lenses"


def normed_before(right: Any) -> Any:
    """Give the map what a norm made already."""

    def call(self: Any, depth: int, hidden: Any) -> Any:
        if depth == len(self.weights):
            return hidden
        return right(self, depth, hidden / np.sqrt((hidden**2).mean(axis=1, keepdims=True)))

    return call


def of_the_next_depth(right: Any) -> Any:
    """Count the maps from the first block's output, not from the embedding."""
    return lambda self, depth, hidden: (
        hidden if depth == len(self.weights) else right(self, max(depth - 1, 0), hidden)
    )


def turned(right: Any) -> Any:
    """Multiply by the map as it lies, [in, out] for [out, in]."""
    return lambda self, depth, hidden: right(
        replace(self, weights=self.weights.swapaxes(1, 2)), depth, hidden
    )


def not_residual(right: Any) -> Any:
    """Leave the state itself out, as the formula of the paper has it."""
    return lambda self, depth, hidden: (
        hidden if depth == len(self.weights) else right(self, depth, hidden) - hidden
    )


def first_alias(right: Any) -> Any:
    """Look for the first alias of each answer alone."""
    return lambda logits, choices: right(logits, [one[:1] for one in choices])


def up_to_k(right: Any) -> Any:
    """Count the token of rank k, too."""
    return lambda k, choices: right(k + 1, choices)


MUTANTS = (
    Mutant("translator-after-the-norm", TUNED, replaced(CALL, normed_before)),
    Mutant(
        "translator-one-depth-off",
        "hidden_states[i] is before block i",
        replaced(CALL, of_the_next_depth),
    ),
    Mutant("translator-transposed", "nn.Linear keeps [out, in]", replaced(CALL, turned)),
    Mutant("translator-without-the-state", TUNED, replaced(CALL, not_residual)),
    Mutant(
        "lens-of-another-model",
        "tuned_lens warns where the hash differs",
        replaced("interp.tuned_lens:_refuse_other_model", lambda _: lambda *_: None),
    ),
    Mutant(
        "one-alias-counts",
        "HoppingTooLate, aliases",
        replaced("interp.metrics:best_of", first_alias),
    ),
    Mutant(
        "top-k-one-too-many",
        "rank <= k, ranks from 0",
        replaced("interp.resolution:in_top", up_to_k),
    ),
    Mutant(
        "own-answer-among-the-others",
        "a derangement with fixed points",
        replaced(
            "interp.resolution:_strangers",
            lambda _: lambda answers: np.ones((len(answers),) * 2, bool),
        ),
    ),
)
