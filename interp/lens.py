"""The logit lens: what each depth of the residual stream would say if it were the last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.encoded import Encoded
from interp.errors import RequestError
from interp.ledger import report
from interp.metrics import probability, rank
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet, as_prompt_set
from interp.runs import run
from interp.sites import Site, embed, resid_post


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
    wanted = as_prompt_set(prompts)
    sites = depths(model)
    base = run(model, wanted, capture=sites)
    answers = base.encoded.answers
    if not all(answers):
        raise RequestError("the lens ranks answers: a prompt has none", asked="logit_lens(...)")
    report("unembed", ())
    columns = [model.backend.unembed(base[site, at]) for site in sites]
    return Lens(
        base.encoded,
        np.stack([logits.argmax(axis=-1) for logits in columns], axis=1),
        np.stack([rank(logits, answers) for logits in columns], axis=1),
        np.stack([probability(logits, answers) for logits in columns], axis=1),
    )


def depths(model: Model) -> list[Site]:
    """The residual stream from the embedding to the last block: n_layers + 1 sites."""
    return [embed(), *(resid_post(layer) for layer in range(model.n_layers))]
