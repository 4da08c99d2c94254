"""The logit lens: what each depth of the residual stream would say if it were the last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from interp.encoded import Encoded
from interp.ledger import report
from interp.metrics import Choices, probability, rank
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet, as_prompt_set
from interp.readers import Logits, Reader, in_blocks
from interp.sites import Site, embed, resid_post
from interp.streaming import streamed


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
    said = read_depths(model, prompts, read=_THREE, at=at)
    return Lens(
        encoded, said[:, :, 0].astype(np.int64), said[:, :, 1].astype(np.int64), said[:, :, 2]
    )


def read_depths(
    model: Model,
    prompts: PromptSet | Sequence[str],
    *,
    read: Reader,
    at: str | Position = "all",
) -> Shaped[np.ndarray, "token depth ..."]:
    """What a reader says of every depth of the stream, at every token that a position names.

    The tokens of the first prompt come first, each prompt's in order. The logits of a few tokens
    are held at a time, whatever the vocabulary.
    """
    encoded = model.encode(as_prompt_set(prompts))
    mask, sites = encoded.mask(at), depths(model)
    number = np.cumsum(mask).reshape(mask.shape) - 1
    report("unembed", ())
    said: np.ndarray | None = None
    for part in streamed(model, encoded, sites, at):
        for depth, site in enumerate(sites):
            found = in_blocks(model, encoded, part.row, part.values[site], read)
            if said is None:
                said = np.zeros((int(mask.sum()), len(sites), *found.shape[1:]), found.dtype)
            said[number[part.row, part.at], depth] = found
    return np.asarray(said)


def _three(logits: Logits, answers: Choices, _: Choices) -> np.ndarray:
    """The likeliest token, the answer's rank and its probability."""
    columns = logits.argmax(axis=-1), rank(logits, answers), probability(logits, answers)
    return np.stack([column.astype(np.float64) for column in columns], axis=1)


_THREE = Reader("lens", _three)


def depths(model: Model) -> list[Site]:
    """The residual stream from the embedding to the last block: n_layers + 1 sites."""
    return [embed(), *(resid_post(layer) for layer in range(model.n_layers))]
