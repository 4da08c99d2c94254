"""Causal tracing: noise in a subject's embeddings, and the clean states that undo it.

The clean run says the answer; noise at the embeddings of the subject's tokens makes that less
likely; one clean state put back makes it likelier again, or not. Probabilities are those of the
answer that the clean run gives.

Source:  Meng et al. 2022, "Locating and Editing Factual Associations in GPT", arXiv:2202.05262.
Differs: noise enters `embed`, the embedding as block 0 receives it: scaled in Gemma, and with the
         learned positions of GPT-2 in it. Positions and noise are summed, so that the order does
         not matter, but sigma is that of the sum. Of several middle tokens of a subject the one in
         the middle is restored, not each in turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.charts import HeatMap, Panel, floats
from interp.edits import Edit, patch, steer
from interp.errors import RequestError
from interp.grids import Variants
from interp.models import Model
from interp.positions import Position, after, position, span
from interp.prompts import PromptSet
from interp.readers import answer_probability
from interp.runs import run
from interp.sites import Site, embed
from interp.sweeps import sweep

Kind = Literal["resid_post", "mlp_out", "attn_out"]
PAPER_WINDOW = (10, 48)  # blocks of GPT-2-XL


def roles(subject: str = "e1") -> Mapping[str, Position]:
    """The tokens whose states are restored, by what they are to the subject."""
    return MappingProxyType(
        {
            "first subject token": span(subject, "first"),
            "middle subject token": span(subject, "middle"),
            "last subject token": span(subject, "last"),
            "first token after it": after(subject, "first"),
            "last token": position("last"),
        }
    )


@dataclass(frozen=True, eq=False, repr=False)
class Corruption:
    """Noise at the embeddings of a subject: one draw a prompt, the same whatever is restored."""

    noise: Float[np.ndarray, "draw batch pos d_model"]
    at: Position
    sigma: float

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<{len(self.noise)} draws of noise at {self.at}, sigma {self.sigma:.3g}>"

    def edit(self, draw: int) -> Edit:
        """One draw of the noise, added to the embeddings of the subject's tokens."""
        return steer(embed(), self.noise[draw], at=self.at).during("prompt")


@dataclass(frozen=True)
class Restored:
    """Which clean states are put back: the stream after a block, or a window of parts of blocks.

    A window of `size` blocks has its layer in the middle; of an even number it is the one after
    the middle, as in the paper.
    """

    kind: Kind = "resid_post"
    size: int = 1
    at: Mapping[str, Position] = field(default_factory=roles)

    def sites(self, layer: int, n_layers: int) -> list[Site]:
        """The sites of one cell."""
        low, high = layer - self.size // 2, layer + (self.size + 1) // 2
        return [Site(self.kind, one) for one in range(max(low, 0), min(high, n_layers))]


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """The probability of the answer: clean, corrupted, and corrupted with clean states restored."""

    clean: Float[np.ndarray, " batch"]
    corrupted: Float[np.ndarray, "draw batch"]
    restored: Float[np.ndarray, "role layer draw batch"]
    roles: tuple[str, ...]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        n_roles, n_layers, draws, n = self.restored.shape
        return f"<trace of {n} prompts at {n_roles} tokens and {n_layers} layers, {draws} draws>"

    @property
    def total(self) -> Float[np.ndarray, " batch"]:
        """The total effect of the noise: clean minus corrupted, the mean of the draws."""
        return np.asarray(self.clean - self.corrupted.mean(axis=0))

    @property
    def indirect(self) -> Float[np.ndarray, "role layer batch"]:
        """The indirect effect of each state: restored minus corrupted, the mean of the draws."""
        return np.asarray((self.restored - self.corrupted).mean(axis=2))

    def best(
        self, role: str, chosen: Bool[np.ndarray, " batch"], *, among: Sequence[int]
    ) -> Float[np.ndarray, " batch"]:
        """Every prompt's effect at the layer that has most of it on the chosen prompts."""
        return self.at(role, self.best_layer(role, chosen, among=among))

    def best_layer(
        self, role: str, chosen: Bool[np.ndarray, " batch"], *, among: Sequence[int]
    ) -> int:
        """The layer at which a token has most of the effect on the chosen prompts."""
        means = self.indirect[self.roles.index(role)][:, chosen].mean(axis=1)
        return max(among, key=lambda layer: float(means[layer]))

    def at(self, role: str, layer: int) -> Float[np.ndarray, " batch"]:
        """Every prompt's indirect effect at a token and a layer."""
        return self.indirect[self.roles.index(role), layer]


def corruption(
    model: Model,
    prompts: PromptSet,
    *,
    draws: int,
    seed: int,
    subject: str = "e1",
    times: float = 3.0,
) -> Corruption:
    """Gaussian noise for the subject's embeddings, `times` as wide as they are.

    Sigma is the standard deviation of all entries of the embeddings of all subjects' tokens.

    Raises:
        RequestError: no draw, or a prompt without the subject.
    """
    if draws < 1:
        raise RequestError("a corruption needs a draw of noise", asked="corruption(...)")
    place = span(subject)
    done = run(model, prompts, capture=[embed()])
    inside = done.encoded.mask(place)
    values = done[embed()]
    sigma = float(values[inside].astype(np.float64).std(ddof=1))
    noise = np.zeros((draws, *values.shape), np.float32)
    drawn = np.random.default_rng(seed).normal(0, times * sigma, (draws, *values[inside].shape))
    noise[:, inside] = drawn
    return Corruption(noise, place, sigma)


def trace(
    model: Model,
    prompts: PromptSet,
    corrupted: Corruption,
    restored: Restored | None = None,
    *,
    donors: PromptSet | None = None,
) -> Trace:
    """Every clean state put back into the corrupted run, a token and a layer at a time.

    Args:
        model: a loaded model.
        prompts: prompts that the model answers, clean.
        corrupted: noise made for these prompts.
        restored: which states; by default the stream after each block at each role.
        donors: whose clean states; by default the prompts' own, others are the null.

    Pinned:  specs/contracts/test_causal_tracing.py

    Raises:
        RequestError: a prompt that the model does not answer, or noise for other prompts.
    """
    states, every = restored or Restored(), model.layers
    if corrupted.noise.shape[1] != len(prompts):
        raise RequestError("noise is drawn a prompt", received=corrupted, where=repr(prompts))
    if not run(model, prompts).correct.all():
        raise RequestError(
            "a trace is of prompts that are answered clean",
            where=repr(prompts),
            hint="prompts.where(run(model, prompts).correct)",
        )
    given = run(model, donors or prompts, capture=[Site(states.kind, layer) for layer in every])
    cells: dict[tuple[str, int, int], tuple[Edit, ...]] = {
        (role, layer, draw): (
            corrupted.edit(draw),
            *(patch(site, given[site, at], at=at) for site in states.sites(layer, len(every))),
        )
        for role, at in states.at.items()
        for layer in every
        for draw in range(len(corrupted.noise))
    }
    plain = {("clean", -1, -1): (), **_noised(corrupted)}
    grid = sweep(
        model, prompts, Variants(("role", "layer", "draw"), plain | cells), read=answer_probability
    )
    first = len(plain)
    shape = (len(states.at), len(every), len(corrupted.noise), len(prompts))
    return Trace(
        grid.values[0], grid.values[1:first], grid.values[first:].reshape(shape), tuple(states.at)
    )


def subject_lengths(model: Model, prompts: PromptSet, subject: str = "e1") -> Int[np.ndarray, " n"]:
    """How many tokens each prompt's subject has."""
    return np.asarray(model.encode(prompts).mask(span(subject)).sum(axis=1))


def window_like_the_paper_s(model: Model) -> int:
    """The window that is as large a share of the blocks as the paper's: 10 of 48."""
    size, of = PAPER_WINDOW
    return max(1, round(size * model.n_layers / of))


def trace_map(title: str, panels: Mapping[str, Trace]) -> HeatMap:
    """The mean indirect effect by role and layer, in named panels."""
    first = next(iter(panels.values()))
    _, n_layers, draws, n = first.restored.shape
    return HeatMap(
        title,
        f"n = {n} prompts, {draws} draws of noise each; mean total effect {first.total.mean():.3f}.",
        "layer",
        "token restored",
        tuple(map(str, range(n_layers))),
        first.roles[::-1],
        "indirect effect (probability)",
        tuple(
            Panel(name, tuple(floats(row) for row in one.indirect.mean(axis=2)[::-1]))
            for name, one in panels.items()
        ),
        "around zero",
    )


def _noised(corrupted: Corruption) -> dict[tuple[str, int, int], tuple[Edit, ...]]:
    return {
        ("corrupted", -1, draw): (corrupted.edit(draw),) for draw in range(len(corrupted.noise))
    }
