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
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.charts import HeatMap, Panel, floats
from interp.edits import Edit, patch, steer
from interp.encoded import Encoded
from interp.errors import RequestError
from interp.models import Model
from interp.positions import Position, after, position, span
from interp.prompts import PromptSet
from interp.readers import answer_probability
from interp.runs import Run, run
from interp.sites import Site, embed
from interp.sweeps import sweep

Kind = Literal["resid_post", "mlp_out", "attn_out"]
PAPER_WINDOW = (10, 48)  # blocks of GPT-2-XL


def roles(model: Model, prompts: PromptSet, subject: str = "e1") -> dict[str, Position]:
    """The tokens whose states are restored, by what they are to the subject.

    Those that every prompt has. Where two of them are one token in every prompt it has the later
    name: a subject of one token is its own last.

    Raises:
        RequestError: a prompt without the subject.
    """
    encoded = model.encode(prompts)
    encoded.indices(subject)
    named = {
        "first subject token": span(subject, "first"),
        "middle subject token": span(subject, "middle"),
        "last subject token": span(subject, "last"),
        "first token after it": after(subject, "first"),
        "last token": position("last"),
    }
    where = {_places(encoded, at): name for name, at in named.items()}
    return {name: named[name] for places, name in where.items() if places}


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
    """Which clean states are put back, a token and a layer at a time.

    The stream after a block, or what the MLPs or attentions of a window of `size` blocks add. The
    window has its layer in the middle; of an even number the layer is the later of the middle two,
    as in the paper's code.
    """

    at: Mapping[str, Position]
    layers: Sequence[int]
    kind: Kind = "resid_post"
    size: int = 1

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
    states: Restored

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

    def at(self, role: str) -> Float[np.ndarray, "layer batch"]:
        """The indirect effects at one token."""
        return np.asarray(self.indirect[list(self.states.at).index(role)])

    def best(
        self, role: str, chosen: Bool[np.ndarray, " batch"], *, below: float
    ) -> Float[np.ndarray, " batch"]:
        """Every prompt's effect at the layer that has most of it on the chosen prompts.

        Args:
            role: the token.
            chosen: the prompts to choose the layer on.
            below: layers from this one on are not chosen from.
        """
        effects = self.at(role)[np.array(self.states.layers) < below]
        return np.asarray(effects[effects[:, chosen].mean(axis=1).argmax()])


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
    states: Restored,
    *,
    donors: PromptSet | None = None,
) -> Trace:
    """Clean states put back into the corrupted run, a token and a layer at a time.

    Args:
        model: a loaded model.
        prompts: prompts that the model answers, clean.
        corrupted: noise made for these prompts.
        states: which states.
        donors: whose clean states; by default the prompts' own, others are the null.

    Pinned:  specs/contracts/test_causal_tracing.py

    Raises:
        RequestError: a prompt that the model does not answer, or noise for other prompts.
    """
    if corrupted.noise.shape[1] != len(prompts):
        raise RequestError("noise is drawn a prompt", received=corrupted, where=repr(prompts))
    if not run(model, prompts).correct.all():
        raise RequestError(
            "a trace is of prompts that are answered clean",
            where=repr(prompts),
            hint="prompts.where(run(model, prompts).correct)",
        )
    return trace_any(model, prompts, corrupted, states, donors or prompts)


def trace_any(
    model: Model,
    prompts: PromptSet,
    corrupted: Corruption,
    states: Restored,
    donors: PromptSet,
) -> Trace:
    """A trace of prompts with an answer, whether or not the model gives it: for contracts."""
    noise = [(corrupted.edit(draw),) for draw in range(len(corrupted.noise))]
    given = run(model, donors, capture=[Site(states.kind, one) for one in model.layers])
    cells = [
        (*noised, *(patch(site, _values(given, site, at), at=at) for site in sites))
        for at in states.at.values()
        for sites in (states.sites(layer, model.n_layers) for layer in states.layers)
        for noised in noise
    ]
    found = sweep(model, prompts, [(), *noise, *cells], read=answer_probability).values
    shape = (len(states.at), len(states.layers), len(noise), len(prompts))
    clean, noised, restored = found[0], found[1 : 1 + len(noise)], found[1 + len(noise) :]
    return Trace(clean, noised, restored.reshape(shape), states)


def subject_lengths(model: Model, prompts: PromptSet, subject: str = "e1") -> Int[np.ndarray, " n"]:
    """How many tokens each prompt's subject has."""
    return np.asarray(model.encode(prompts).mask(span(subject)).sum(axis=1))


def window_like_the_paper_s(model: Model) -> int:
    """The window that is as large a share of the blocks as the paper's: 10 of 48."""
    size, of = PAPER_WINDOW
    return max(1, round(size * model.n_layers / of))


def trace_map(title: str, panels: Mapping[str, Trace]) -> HeatMap:
    """The mean indirect effect by token and layer, in named panels of the same cells."""
    first = next(iter(panels.values()))
    draws, n = first.corrupted.shape
    return HeatMap(
        title,
        f"n = {n} prompts, {draws} draws of noise each. Total effect {first.total.mean():.3f}.",
        "layer",
        "token restored",
        tuple(map(str, first.states.layers)),
        tuple(first.states.at)[::-1],
        "indirect effect (probability)",
        tuple(
            Panel(name, tuple(floats(row) for row in one.indirect.mean(axis=2)[::-1]))
            for name, one in panels.items()
        ),
        "around zero",
    )


def _values(given: Run, site: Site, at: Position) -> Float[np.ndarray, "batch ..."]:
    """What is put back: one value a row, or one a token where the position may have several."""
    several = at.kind == "all" or (at.kind in ("span", "after") and at.part == "all")
    return given[site] if several else given[site, at]


def _places(encoded: Encoded, at: Position) -> tuple[int, ...]:
    """Where a position lies in each row; nothing where a row has too few tokens for it."""
    try:
        return tuple(encoded.indices(at).tolist())
    except RequestError:
        return ()
