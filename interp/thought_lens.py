"""Whether thoughts show words: those of their own question, and those of others.

A word counts as shown where one of its spellings is among the likeliest tokens of the lens. With
small numbers a guess is often right, so the same is asked of the words of permuted questions.

Source:  Shen et al. 2025, "CODI", arXiv:2502.21074v3, Section 5.1.
Differs: the paper does not say whether any thought may show a result or a certain one, nor how
         spellings count: both are here, and a number counts with or without a space before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.models import Model
from interp.thoughts import spellings

TOP = 5


@dataclass(frozen=True, eq=False, repr=False)
class Shown:
    """Which words each thought of each question shows, and which word is a question's own."""

    words: Bool[np.ndarray, "batch step word"]
    own: Int[np.ndarray, " batch"]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<{len(self.own)} questions, {self.words.shape[2]} words>"

    @property
    def hits(self) -> Bool[np.ndarray, "batch step"]:
        """Whether each thought shows the question's own word."""
        return np.asarray(self.words[np.arange(len(self.own)), :, self.own])

    @property
    def by_any(self) -> Bool[np.ndarray, " batch"]:
        """Whether any thought shows it."""
        return np.asarray(self.hits.any(axis=1))

    def best(self, chosen: Bool[np.ndarray, " batch"]) -> int:
        """The thought that shows it most often in the chosen questions."""
        return int(self.hits[chosen].mean(axis=0).argmax())

    def by_chosen(self, chosen: Bool[np.ndarray, " batch"]) -> Bool[np.ndarray, " other"]:
        """Whether the best thought of the chosen questions shows it in each of the others."""
        return np.asarray(self.hits[~chosen, self.best(chosen)])

    def permuted(self, draws: int, *, seed: int) -> Iterator["Shown"]:
        """The same thoughts asked for the words of other questions, so many times."""
        rng = np.random.default_rng(seed)
        return (replace(self, own=rng.permutation(self.own)) for _ in range(draws))


def shown(
    model: Model,
    lens: Float[np.ndarray, "batch step d_vocab"],
    words: Sequence[str],
    *,
    top: int = TOP,
) -> Shown:
    """What the likeliest tokens of the lens show, of the words that any question has.

    Args:
        model: the model that thought.
        lens: the logits at each thought, as `read_thoughts` gives them.
        words: each question's own.
        top: how many tokens count.
    """
    names = sorted(set(words))
    best = np.argpartition(-lens, top, axis=-1)[..., :top]
    found = [np.isin(best, spellings(model, name)).any(axis=-1) for name in names]
    return Shown(np.stack(found, axis=-1), np.array([names.index(word) for word in words]))
