"""Bugs of states that are described, and of sublayers that are read by themselves."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, replaced

PLACEHOLDER = "Patchscopes, the placeholder counted from the wrong end"


def at_the_last_token(right: Any) -> Any:
    """Put the state where the prompt ends, not where the placeholder is."""
    return lambda layer, state, *, at: right(layer, state, at="last" if at else at)


def a_block_late(right: Any) -> Any:
    """Put the output of a block where its output was, as a hook on the block's output does."""

    def describe(model: Any, targets: Any, states: Any, **how: Any) -> Any:
        done = right(model, targets, states, **how)
        late = [(source, min(target + 1, model.n_layers - 1)) for source, target in done.pairs]
        order = [done.pairs.index(pair) for pair in late]
        return replace(done, likeliest=done.likeliest[order], named=done.named[order])

    return describe


def swapped_sublayers(right: Any) -> Any:
    """Take attention for the MLP when the ranks are looked up."""

    def project(*given: Any, **how: Any) -> Any:
        done = right(*given, **how)
        return replace(done, ranks={name: one[::-1] for name, one in done.ranks.items()})

    return project


def one_target(right: Any) -> Any:
    """Rank the first target only, and call it by every name."""
    return lambda self, *given: np.repeat(right(self, *given)[:, :1], len(self.targets), axis=1)


def unscaled(_right: Any) -> Any:
    """Leave random vectors as long as they were drawn."""
    return lambda values, _like: values.astype(np.float32)


MUTANTS = (
    Mutant(
        "state-put-at-the-last-token",
        PLACEHOLDER,
        replaced("interp.descriptions:put", at_the_last_token),
    ),
    Mutant(
        "state-put-a-block-late",
        "hidden_states[k] written by a hook on layers[k]",
        replaced("interp.descriptions:describe", a_block_late),
    ),
    Mutant(
        "random-states-of-any-length",
        "controls that are not norm-matched",
        replaced("interp.descriptions:_as_long", unscaled),
    ),
    Mutant(
        "sublayers-looked-up-the-wrong-way-round",
        "HoppingTooLate, attention and MLP in one array",
        replaced("interp.sublayers:project_sublayers", swapped_sublayers),
    ),
    Mutant(
        "chance-ranked-as-the-answer",
        "one set of targets for all that is ranked",
        replaced("interp.readers:Ranks.read", one_target),
    ),
)
