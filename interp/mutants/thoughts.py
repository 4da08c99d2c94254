"""Bugs of continuous thoughts: fed, read, edited or ended at the wrong step."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.backends.published import LORA_ALPHA
from interp.mutants.planting import Change, Mutant, replaced
from interp.mutants.project import THINKER

ENGINE = "interp.backends.torch_thinker"
EVEN = f"{ENGINE}:TorchThinker._think_even"
PATCHING = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"
LOADED = "CODI, a state dict loaded with strict=False"


def unprojected(right: Any) -> Any:
    """Feed the state itself; what is computed without a cache goes through the projection."""

    def think_even(self: Any, *given: Any) -> Any:
        projection, self._projection = self._projection, lambda state: state
        try:
            return right(self, *given)
        finally:
            self._projection = projection

    return think_even


def state_after(right: Any) -> Any:
    """Take the state that a thought makes for the vector that was fed."""
    return lambda self, fed, state: right(self, None if fed is None else state, state)


def one_more(right: Any) -> Any:
    """Feed the state after the last thought, too."""

    def think_even(self: Any, ids: Any, rows: Any, writes: Any, request: Any) -> Any:
        longer = [replace(one, thoughts=_none_after(one.thoughts)) for one in writes]
        more = replace(request, n_thoughts=request.n_thoughts + 1)
        done = right(self, ids, rows, longer, more)
        return replace(done, captured={site: kept[:, :-1] for site, kept in done.captured.items()})

    return think_even


def late(right: Any) -> Any:
    """Edit the thought after the one that is named."""

    def at_thought(write: Any, step: int) -> Any:
        fired = right(write, max(step - 1, 0))
        return fired & (step > 0)

    return at_thought


def off_centre(_: Any) -> Any:
    """Take the mean for a part of what the values vary in."""
    return lambda self, values, n: values @ self.axes[:n].T @ self.axes[:n]


def left_on(right: Any) -> Any:
    """Let the edit of a thought fire on every token of the answer."""

    def logits(self: Any, tokens: Any) -> Any:
        kept, self._writes = self._writes, list(map(_stays, self._writes))
        try:
            return right(self, tokens)
        finally:
            self._writes = kept

    return logits


def padded(right: Any) -> Any:
    """Make the questions equally long with a token in front of them that everything sees."""

    def think(self: Any, ids: Any, writes: Any, request: Any) -> Any:
        longest = max(map(len, ids))
        rows = [(*[row[0]] * (longest - len(row)), *row) for row in ids]
        return right(self, rows, writes, request)

    return think


def unscaled(right: Any) -> Any:
    """Add the whole product of both halves."""

    def merged(state: Any, found: Any, *rest: Any) -> Any:
        pairs = found.adapted.values()
        undone = {b: state[b] * (len(state[a]) / LORA_ALPHA) for a, b in pairs}
        return right({**state, **undone}, found, *rest)

    return merged


def _none_after(thoughts: Any) -> Any:
    return thoughts if thoughts is None else np.pad(thoughts, ((0, 0), (0, 1)))


def _stays(write: Any) -> Any:
    if write.thoughts is None:
        return write
    return replace(write, generated=write.generated | write.thoughts.any(axis=1))


def _mutant(name: str, origin: str, target: str, change: Change) -> Mutant:
    return Mutant(name, origin, replaced(target, change), on=(THINKER,))


MUTANTS = (
    _mutant("thought-fed-without-its-projection", LOADED, EVEN, unprojected),
    _mutant(
        "thought-captured-after-its-step",
        "GPT-2 Activation Steering Experiment, 2025-10-21",
        f"{ENGINE}:_Course._fed",
        state_after,
    ),
    _mutant("state-after-the-last-thought-is-fed", PATCHING, EVEN, one_more),
    _mutant("thought-edited-one-step-late", PATCHING, f"{ENGINE}:_at_thought", late),
    _mutant(
        "hook-of-a-thought-left-on-in-the-answer", PATCHING, f"{ENGINE}:_Course.logits", left_on
    ),
    _mutant(
        "mean-counted-among-the-components",
        "LLaMA-3.2-1B Activation Steering Experiment, 2025-10-21",
        "interp.thought_spaces:Space.inside",
        off_centre,
    ),
    _mutant(
        "padding-seen-by-thoughts",
        "CODI, questions padded on the left",
        f"{ENGINE}:TorchThinker.think",
        padded,
    ),
    _mutant(
        "scale-of-the-adapters-forgotten",
        "CODI, alpha / r is in no weight file",
        "interp.backends.torch_codi:merged",
        unscaled,
    ),
    _mutant(
        "no-projection-accepted",
        LOADED,
        "interp.backends.published:refuse_other_projection",
        lambda _: lambda *_given: None,
    ),
)
