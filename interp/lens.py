"""The logit lens: what each depth of the residual stream would say if it were the last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from interp.charts import Curves, HeatMap, Line, Panel, Plot, floats
from interp.encoded import Encoded
from interp.errors import RequestError
from interp.ledger import report
from interp.metrics import Choices, probability, rank
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet, as_prompt_set
from interp.readers import Logits, Reader, Reads, in_blocks
from interp.sites import PER_HEAD, Site, embed, resid_post
from interp.stats import proportion
from interp.streaming import streamed

NOT_STREAM = frozenset({"final_norm", "logits", "thought"})


@dataclass(frozen=True, eq=False, repr=False)
class Lens:
    """The lens at one position of each prompt; depth 0 is the embedding, depth i after block i - 1.

    `ranks` and `probabilities` are those of each prompt's best answer (0 is the top).
    """

    encoded: Encoded
    likeliest: Int[np.ndarray, "batch depth"]
    ranks: Int[np.ndarray, "batch depth"]
    probabilities: Float[np.ndarray, "batch depth"]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<logit lens of {self.encoded.prompts} at {self.ranks.shape[1]} depths>"

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
            "Logit lens: the answer is the likeliest token",
            f"n = {len(self.ranks)} prompts. Bars: 95 % Wilson intervals.",
            "after block",
            (Plot("share of prompts", (Line("answer on top", x, y, low, high),)),),
            _depth_names(len(rates)),
        )

    def generic_chart(self) -> Curves:
        """How many prompts share one likeliest token, by depth: what does not depend on them."""
        x = floats(range(len(self.commonest)))
        return Curves(
            "Logit lens: prompts with the same likeliest token",
            f"n = {len(self.ranks)} prompts. At each depth, the commonest of the likeliest tokens.",
            "after block",
            (Plot("share of prompts", (Line("commonest token", x, floats(self.commonest)),)),),
            _depth_names(len(x)),
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
            _depth_names(len(self.ranks)),
            "rank of the answer (1 = likeliest)",
            (Panel("", tuple(floats(row + 1) for row in self.ranks), self.words),),
            "log",
        )


def logit_lens(
    model: Model, prompts: PromptSet | Sequence[str], *, at: str | Position = "last"
) -> Lens:
    """Every depth of the residual stream through the model's own final norm and head.

    Source:  nostalgebraist 2020, "interpreting GPT: the logit lens".
    Differs: softcaps and logit scaling are the model's own, so that the last depth is its logits.

    Raises:
        RequestError: a prompt without answers.
    """
    encoded = model.encode(as_prompt_set(prompts))
    encoded.indices(at)  # one token a prompt
    return Lens(encoded, *_three_of(model, encoded.prompts, at))


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
    likeliest, ranks, _ = _three_of(model, wanted, "all")
    decode = model.backend.tokenizer.decode
    words = tuple(tuple(decode([int(token)]) for token in depth) for depth in likeliest.T)
    tokens = tuple(decode([token]) for token in encoded.ids[0])
    return LensMap(encoded, model.id, tokens, words, ranks.T)


def read_depths(
    model: Model,
    prompts: PromptSet | Sequence[str],
    *,
    read: Reads,
    at: str | Position = "all",
) -> Shaped[np.ndarray, "token depth ..."]:
    """What a reader says of every depth of the stream, at every token that a position names."""
    return read_sites(model, prompts, depths(model), read=read, at=at)


def read_sites(
    model: Model,
    prompts: PromptSet | Sequence[str],
    sites: Sequence[Site],
    *,
    read: Reads,
    at: str | Position = "all",
) -> Shaped[np.ndarray, "token site ..."]:
    """What a reader says of sites as wide as the stream, each as if it were the last of it.

    The tokens of the first prompt come first, each prompt's in order. The logits of a few tokens
    are held at a time, whatever the vocabulary.

    Raises:
        RequestError: a site of another shape than the stream's.
    """
    odd = [site for site in sites if site.name in PER_HEAD or site.name in NOT_STREAM]
    if odd or not sites:
        raise RequestError(
            "what is unembedded is as wide as the stream, before the final norm",
            asked=f"read_sites({model.id}, ...)",
            received=", ".join(map(str, odd)) or "no site",
            hint="resid_post(layer), attn_out(layer) or mlp_out(layer)",
        )
    encoded = model.encode(as_prompt_set(prompts))
    mask = encoded.mask(at)
    number = np.cumsum(mask).reshape(mask.shape) - 1
    report("unembed", ())
    said: np.ndarray | None = None
    for part in streamed(model, encoded, sites, at):
        for place, site in enumerate(sites):
            found = in_blocks(model, encoded, part.row, part.values[site], read)
            if said is None:
                said = np.zeros((int(mask.sum()), len(sites), *found.shape[1:]), found.dtype)
            said[number[part.row, part.at], place] = found
    return np.asarray(said)


def depths(model: Model) -> list[Site]:
    """The residual stream from the embedding to the last block: n_layers + 1 sites."""
    return [embed(), *(resid_post(layer) for layer in range(model.n_layers))]


def _three(logits: Logits, answers: Choices, _: Choices) -> np.ndarray:
    """The likeliest token, the answer's rank and its probability."""
    columns = logits.argmax(axis=-1), rank(logits, answers), probability(logits, answers)
    return np.stack([column.astype(np.float64) for column in columns], axis=1)


_THREE = Reader("the lens", _three)


def _three_of(
    model: Model, prompts: PromptSet, at: str | Position
) -> tuple[
    Int[np.ndarray, "token depth"], Int[np.ndarray, "token depth"], Float[np.ndarray, "token depth"]
]:
    if not all(model.encode(prompts).answers):
        raise RequestError("the lens ranks answers: a prompt has none", asked="logit_lens(...)")
    said = read_depths(model, prompts, read=_THREE, at=at)
    return said[..., 0].astype(np.int64), said[..., 1].astype(np.int64), said[..., 2]


def _depth_names(n: int) -> tuple[str, ...]:
    return ("embed", *map(str, range(n - 1)))
