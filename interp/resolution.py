"""When an answer first is among the k likeliest tokens of the lens, and when by chance.

Late states hold whole families of tokens: every capital may be among the first thirty after any
question for a capital. So the answers of the other prompts are looked for at each prompt, with the
same tokens, aliases and tries; a prompt whose answer never comes up is unresolved, not late.

Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2, first layers of an entity; the
         chance baseline is ours.
Differs: all answers of other prompts instead of one derangement of them, which is a draw from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.charts import Curves, Line, Plot
from interp.depths import Through, depth_names, read_depths, untranslated
from interp.encoded import Encoded
from interp.errors import InconclusiveError, RequestError
from interp.metrics import Choices
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet
from interp.readers import Logits, Reader
from interp.stats import Estimate, average, proportion


@dataclass(frozen=True, eq=False, repr=False)
class Resolution:
    """At which depth each prompt has each answer of the set among its k likeliest tokens.

    `first[i, j]` is the first depth at prompt i of the answer to prompt j, or how many depths there
    are where it has none; 0 is the embedding. `others[i, j]` is false where the two share a token.
    """

    first: Int[np.ndarray, "prompt answer"]
    others: Bool[np.ndarray, "prompt answer"]
    n_depths: int
    k: int
    d_vocab: int
    name: str = "logit lens"

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<top {self.k} of {self.d_vocab}, {len(self.first)} prompts, {self.name}>"

    @property
    def depth(self) -> Int[np.ndarray, " prompt"]:
        """The first depth of each prompt's own answer; `n_depths` where it is unresolved."""
        return np.asarray(self.first.diagonal())

    @property
    def resolved(self) -> Bool[np.ndarray, " prompt"]:
        """Whether the answer comes up at any depth."""
        return self.depth < self.n_depths

    @property
    def relative(self) -> Float[np.ndarray, " resolved"]:
        """The first depth of each resolved prompt as a share of the way: 1 is the last block."""
        return np.asarray(self.depth[self.resolved] / (self.n_depths - 1))

    @property
    def resolved_by_chance(self) -> Float[np.ndarray, " prompt"]:
        """At each prompt, the share of the other answers that come up at any depth."""
        return self._share(self.first < self.n_depths)

    @property
    def at_random(self) -> float:
        """The share of all tokens that is among the likeliest at one depth: k / d_vocab."""
        return self.k / self.d_vocab

    @property
    def ahead(self) -> Float[np.ndarray, " prompt"]:
        """By how much each answer comes before the others there: 1 before all of them, -1 after.

        The share of the others that come later, or never, minus the share that come earlier.
        """
        own = self.depth[:, None]
        return self._share(np.sign(self.first - own).astype(np.float64))

    def by(self, depth: int) -> tuple[Estimate, Estimate]:
        """Which prompts have had their answer by a depth, and the share of others that came up."""
        up = self.first <= depth
        return proportion(up.diagonal()), average(self._share(up))

    def chart(self) -> Curves:
        """How many answers have come up by each depth: the prompts' own, and the others'."""
        own, others = zip(*(self.by(depth) for depth in range(self.n_depths)), strict=True)
        unresolved = int((~self.resolved).sum())
        lines = (
            Line.of("own answer", range(self.n_depths), own),
            Line.of("answers of other prompts", range(self.n_depths), others, "control"),
        )
        return Curves(
            f"{self.name.capitalize()}: the answer has been in the top {self.k}",
            f"n = {len(self.first)} prompts, {unresolved} of them never. Bars: 95 % Wilson "
            f"intervals. Band: the same of other prompts' answers, 95 % bootstrap over prompts. "
            f"A token at random: {self.at_random:.2g} at each depth.",
            "after block",
            (Plot("share of prompts", lines),),
            depth_names(self.n_depths),
        )

    def _share(self, values: np.ndarray) -> Float[np.ndarray, " prompt"]:
        """The mean over the other answers at each prompt."""
        return np.asarray((values * self.others).sum(axis=1) / self.others.sum(axis=1))


def first_in_top(
    model: Model,
    prompts: PromptSet,
    *,
    k: int,
    at: str | Position = "last",
    through: Through = untranslated,
) -> Resolution:
    """The first depth at which an answer is among the k likeliest tokens, for every prompt.

    Args:
        model: the model.
        prompts: each with answers; any alias counts, by its first token with the space before it.
        k: how many tokens count.
        at: one token of each prompt.
        through: what a depth's states go through before the final norm, such as a `TunedLens`.

    Raises:
        RequestError: a prompt without answers, or no such k.
        InconclusiveError: a prompt whose answer all others share.
    """
    encoded = model.encode(prompts)
    d_vocab = model.backend.info.d_vocab
    _refuse(encoded, at, k, d_vocab)
    reader = in_top(k, encoded.answers)
    hits = read_depths(model, prompts, read=reader, at=at, through=through)
    n_depths = hits.shape[1]
    name = getattr(through, "name", "logit lens")
    return Resolution(first_hit(hits), _strangers(encoded.answers), n_depths, k, d_vocab, name)


def in_top(k: int, choices: Choices) -> Reader:
    """A reader of whether any token of each choice has a rank below k: bool [batch, choice]."""

    def of(logits: Logits, *_: Choices) -> Bool[np.ndarray, "batch choice"]:
        least = np.partition(logits, -k, axis=-1)[:, -k]
        best = [logits[:, list(tokens)].max(axis=1) for tokens in choices]
        return np.stack(best, axis=1) >= least[:, None]

    return Reader(f"in_top({k})", of, ())


def first_hit(
    hits: Bool[np.ndarray, "prompt depth choice"],
) -> Int[np.ndarray, "prompt choice"]:
    """The first depth of a hit; the number of depths where there is none."""
    return np.asarray(np.where(hits.any(axis=1), hits.argmax(axis=1), hits.shape[1]))


def _strangers(answers: Sequence[tuple[int, ...]]) -> Bool[np.ndarray, "prompt answer"]:
    """Which pairs of prompts have no first token of an answer in common."""
    tokens = [set(one) for one in answers]
    apart = np.array([[mine.isdisjoint(theirs) for theirs in tokens] for mine in tokens])
    if not apart.any(axis=1).all():
        raise InconclusiveError("a prompt has no other with another answer", asked="first_in_top()")
    return apart


def _refuse(encoded: Encoded, at: str | Position, k: int, d_vocab: int) -> None:
    encoded.indices(at)  # one token a prompt
    if not 0 < k < d_vocab:
        raise RequestError(
            "a share of the vocabulary is looked at",
            asked=f"first_in_top(k={k})",
            expected=f"k in 1..{d_vocab - 1}",
            received=k,
        )
    if not all(encoded.answers):
        raise RequestError("answers are looked for: a prompt has none", asked="first_in_top(...)")
