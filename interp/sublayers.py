"""Sublayer projections: what attention and MLP of each block would say by themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from interp.charts import Curves, Line, Plot
from interp.depths import read_sites
from interp.errors import RequestError
from interp.metrics import Choices
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet
from interp.readers import Ranks
from interp.sites import attn_out, mlp_out
from interp.stats import proportion

Sublayer = Literal["attention", "mlp"]
SUBLAYERS: tuple[Sublayer, ...] = ("attention", "mlp")


@dataclass(frozen=True, eq=False, repr=False)
class Projections:
    """The rank of each target in what each sublayer adds to the stream: 0 is the top."""

    ranks: Mapping[str, Int[np.ndarray, "sublayer layer batch"]]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        _, n_layers, n = next(iter(self.ranks.values())).shape
        return f"<projections of {n_layers} layers' sublayers, {n} prompts, of {list(self.ranks)}>"

    def among(
        self, target: str, sublayer: Sublayer, top: int = 1
    ) -> Bool[np.ndarray, "layer batch"]:
        """Whether a target is among the likeliest tokens of a sublayer."""
        return np.asarray(self.ranks[target][SUBLAYERS.index(sublayer)] < top)

    def best(
        self, target: str, sublayer: Sublayer, chosen: Bool[np.ndarray, " batch"], top: int = 1
    ) -> int:
        """The layer in which a target is most often among the likeliest of the chosen prompts."""
        return int(self.among(target, sublayer, top)[:, chosen].sum(axis=1).argmax())

    def chart(self, control: str, top: int = 1) -> Curves:
        """How often each target is among the likeliest tokens, by layer, a plot a sublayer."""
        n = next(iter(self.ranks.values())).shape[2]
        plots = tuple(
            Plot(
                f"{sublayer}: share of prompts",
                tuple(self._line(name, sublayer, control, top) for name in self.ranks),
            )
            for sublayer in SUBLAYERS
        )
        return Curves(
            f"Sublayers by themselves: in the top {top}" if top > 1 else "Sublayers: on top",
            f"n = {n} prompts. What a sublayer adds, through final norm and unembedding. "
            f"Bars: 95 % Wilson intervals; band: {control}.",
            "block",
            plots,
        )

    def _line(self, target: str, sublayer: Sublayer, control: str, top: int) -> Line:
        rates = [proportion(hits) for hits in self.among(target, sublayer, top)]
        role: Literal["measured", "control"] = "control" if target == control else "measured"
        return Line.of(target, range(len(rates)), rates, role)


def project_sublayers(
    model: Model,
    prompts: PromptSet,
    targets: Mapping[str, Choices],
    *,
    at: str | Position = "last",
) -> Projections:
    """What every attention and MLP adds at a position, through the final norm and the unembedding.

    Args:
        model: a loaded model.
        prompts: what is read.
        targets: by name, for each prompt the tokens of which the best counts; `first_tokens` has
            them of a prompt set.
        at: one token of each prompt.

    Source:  Geva et al. 2023, "Dissecting Recall", arXiv:2304.14767; Biran et al. 2024, "Hopping
             Too Late", arXiv:2406.12775v2.
    Differs: ranks against all other tokens, not only rank 0; softcaps and scaling as the model has
             them; what is added to the stream, after a norm of its own where the family has one.
    Pinned:  specs/contracts/test_lens_depths.py

    Raises:
        RequestError: a position of several tokens, a target without tokens for a prompt, or a model
            whose sublayers do not add up to its stream.
    """
    model.encode(prompts).indices(at)  # one token a prompt
    sites = [site(layer) for site in (attn_out, mlp_out) for layer in model.layers]
    found = read_sites(model, prompts, sites, read=Ranks(tuple(targets.values())), at=at)
    by_site = found.reshape(len(prompts), len(SUBLAYERS), model.n_layers, len(targets))
    return Projections(dict(zip(targets, np.moveaxis(by_site, (3, 0), (0, 3)), strict=True)))


def first_tokens(model: Model, prompts: PromptSet) -> Choices:
    """The first token of each alias of each prompt's answer.

    Raises:
        RequestError: a prompt without answers.
    """
    found = model.encode(prompts).answers
    if not all(found):
        raise RequestError("a prompt has no answers", where=repr(prompts))
    return found
