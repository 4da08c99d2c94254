"""The logit lens: what each depth of the residual stream would say if it were the last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.charts import Curves, HeatMap, Line, Panel, Plot, floats
from interp.depths import Through, depth_names, read_depths, untranslated
from interp.encoded import Encoded
from interp.errors import RequestError
from interp.metrics import Choices, probability, rank
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet, as_prompt_set
from interp.readers import Logits, Reader
from interp.stats import proportion


@dataclass(frozen=True, eq=False, repr=False)
class Lens:
    """The lens at one position of each prompt; depth 0 is the embedding, depth i after block i - 1.

    `ranks` and `probabilities` are those of each prompt's best alias (0 is the top): of the first
    tokens of its answers the likeliest, never their sum.
    """

    encoded: Encoded
    likeliest: Int[np.ndarray, "batch depth"]
    ranks: Int[np.ndarray, "batch depth"]
    probabilities: Float[np.ndarray, "batch depth"]
    name: str = "logit lens"

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<{self.name} of {self.encoded.prompts} at {self.ranks.shape[1]} depths>"

    @property
    def top1(self) -> Bool[np.ndarray, "batch depth"]:
        """Whether an answer is the likeliest token, depth by depth."""
        return np.asarray(self.ranks == 0)

    @property
    def commonest(self) -> Float[np.ndarray, " depth"]:
        """The share of prompts that the commonest likeliest token has at each depth.

        Near 1 where the lens says the same whatever the prompt: what "generic" means.
        """
        counts = [np.unique(column, return_counts=True)[1].max() for column in self.likeliest.T]
        return np.array(counts) / len(self.likeliest)

    def chart(self) -> Curves:
        """How often an answer is the likeliest token, by depth, with Wilson intervals."""
        rates = [proportion(hits) for hits in self.top1.T]
        x, y = floats(range(len(rates))), floats(rate.mean for rate in rates)
        low, high = floats(rate.low for rate in rates), floats(rate.high for rate in rates)
        return Curves(
            f"{self.name.capitalize()}: the answer is the likeliest token",
            f"n = {len(self.ranks)} prompts. Bars: 95 % Wilson intervals.",
            "after block",
            (Plot("share of prompts", (Line("answer on top", x, y, low, high),)),),
            depth_names(len(rates)),
        )

    def generic_chart(self) -> Curves:
        """How many prompts share one likeliest token, by depth: what does not depend on them."""
        x = floats(range(len(self.commonest)))
        return Curves(
            f"{self.name.capitalize()}: prompts with the same likeliest token",
            f"n = {len(self.ranks)} prompts. At each depth, the commonest of the likeliest tokens.",
            "after block",
            (Plot("share of prompts", (Line("commonest token", x, floats(self.commonest)),)),),
            depth_names(len(x)),
        )


@dataclass(frozen=True, eq=False, repr=False)
class LensMap:
    """The lens at every token of one prompt; `ranks` are those of the answer to the prompt."""

    encoded: Encoded
    model_id: str
    tokens: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]  # [depth][pos], the likeliest
    ranks: Int[np.ndarray, "depth pos"]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<logit lens of {self.encoded.prompts.prompts[0].content!r}, every token>"

    def chart(self) -> HeatMap:
        """The rank of the answer over layers and positions, 1 for the likeliest token."""
        prompt = self.encoded.prompts.prompts[0]
        return HeatMap(
            f"Logit lens of \u201c{prompt.content}\u201d on {self.model_id}",
            f"One prompt, an example. Answer: {', '.join(prompt.answers)}. "
            "In each cell the likeliest token.",
            "token",
            "after block",
            self.tokens,
            depth_names(len(self.ranks)),
            "rank of the answer (1 = likeliest)",
            (Panel("", tuple(floats(row + 1) for row in self.ranks), self.words),),
            "log",
        )


def logit_lens(
    model: Model,
    prompts: PromptSet | Sequence[str],
    *,
    at: str | Position = "last",
    through: Through = untranslated,
) -> Lens:
    """Every depth of the residual stream through the model's own final norm and head.

    Args:
        model: the model.
        prompts: each with at least one answer; of several, the likeliest counts.
        at: one token of each prompt.
        through: what a depth's states go through before the norm; a `TunedLens` is such a map.

    Source:  nostalgebraist 2020, "interpreting GPT: the logit lens".
    Differs: softcaps and logit scaling are the model's own, so that the last depth is its logits.

    Raises:
        RequestError: a prompt without answers.
    """
    encoded = model.encode(as_prompt_set(prompts))
    encoded.indices(at)  # one token a prompt
    said = _three_of(model, encoded.prompts, at, through)
    return Lens(encoded, *said, getattr(through, "name", "logit lens"))


def lens_map(model: Model, prompts: PromptSet | Sequence[str]) -> LensMap:
    """The lens at every token of one prompt: when, and where, the answer comes up.

    Raises:
        RequestError: more than one prompt, or one without answers.
    """
    wanted = as_prompt_set(prompts)
    if len(wanted) != 1:
        raise RequestError(
            "a lens map is of one prompt, an example",
            asked="lens_map(...)",
            expected="a prompt set of one prompt",
            received=wanted,
            hint='prompts.only(split="test", country="France")',
        )
    encoded = model.encode(wanted)
    likeliest, ranks, _ = _three_of(model, wanted, "all", untranslated)
    decode = model.backend.tokenizer.decode
    words = tuple(tuple(decode([int(token)]) for token in depth) for depth in likeliest.T)
    tokens = tuple(decode([token]) for token in encoded.ids[0])
    return LensMap(encoded, model.id, tokens, words, ranks.T)


def _three(logits: Logits, answers: Choices, _: Choices) -> np.ndarray:
    """The likeliest token, the answer's rank and its probability."""
    columns = logits.argmax(axis=-1), rank(logits, answers), probability(logits, answers)
    return np.stack([column.astype(np.float64) for column in columns], axis=1)


_THREE = Reader("the lens", _three)


def _three_of(
    model: Model, prompts: PromptSet, at: str | Position, through: Through
) -> tuple[
    Int[np.ndarray, "token depth"], Int[np.ndarray, "token depth"], Float[np.ndarray, "token depth"]
]:
    if not all(model.encode(prompts).answers):
        raise RequestError("the lens ranks answers: a prompt has none", asked="logit_lens(...)")
    said = read_depths(model, prompts, read=_THREE, at=at, through=through)
    return said[..., 0].astype(np.int64), said[..., 1].astype(np.int64), said[..., 2]
