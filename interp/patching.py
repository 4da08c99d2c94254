"""Patching states between layers and prompts: back-patching, cross-prompt patching, their nulls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Int

from interp.charts import HeatMap, Panel, floats
from interp.edits import patch
from interp.errors import RequestError
from interp.grids import Variants
from interp.metrics import log_softmax
from interp.models import Model
from interp.norms import noise_like
from interp.positions import Position, position
from interp.prompts import PromptSet
from interp.readers import Metric, right_answer
from interp.runs import run
from interp.sites import Site, layer_pairs, resid_post, resid_pre
from interp.sweeps import sweep

States = Mapping[Site, Float[np.ndarray, "batch d_model"]]


@dataclass(frozen=True, eq=False, repr=False)
class Rescues:
    """Which prompts each (early, late) pair of layers answers correctly: bool [pair, batch]."""

    pairs: tuple[tuple[int, int], ...]
    correct: Bool[np.ndarray, "pair batch"]
    at: str = ""

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return (
            f"<{self.any.mean():.3f} of {len(self.any)} rescued by one of {len(self.pairs)} pairs>"
        )

    @property
    def any(self) -> Bool[np.ndarray, " batch"]:
        """Whether some pair answers correctly: the best of all tries, never evidence by itself."""
        return np.asarray(self.correct.any(axis=0))

    @property
    def between_blocks(self) -> "Rescues":
        """The pairs of the paper: from a block's output to that of an earlier one.

        The output of block t is the input of block t + 1, so these are all pairs but those that
        write the embedding.
        """
        kept = np.array([early > 0 for early, _ in self.pairs])
        pairs = tuple(pair for pair in self.pairs if pair[0] > 0)
        return replace(self, pairs=pairs, correct=self.correct[kept])

    def best(self, chosen: Bool[np.ndarray, " batch"]) -> tuple[int, int]:
        """The pair that rescues most of the chosen prompts; the earliest of equals."""
        return self.pairs[int(self.correct[:, chosen].sum(axis=1).argmax())]

    def chart(self, null: "Rescues") -> HeatMap:
        """The share that each pair answers correctly, beside that of the null."""
        panels = {"own vector": self, "another prompt's": null}
        return pair_map("Back-patching: share answered correctly", panels)

    def by(self, pair: tuple[int, int]) -> Bool[np.ndarray, " batch"]:
        """Which prompts one pair answers correctly."""
        return np.asarray(self.correct[self.pairs.index(pair)])


def pair_map(title: str, panels: Mapping[str, Rescues]) -> HeatMap:
    """The share that each pair of layers answers correctly, source by target, in named panels."""
    first = next(iter(panels.values()))
    early, late = (sorted({pair[side] for pair in first.pairs}) for side in (0, 1))
    rates = [
        dict(zip(one.pairs, floats(one.correct.mean(1)), strict=True)) for one in panels.values()
    ]
    cells = [tuple(tuple(of.get((t, s)) for s in late) for t in early) for of in rates]
    return HeatMap(
        title,
        f"n = {first.correct.shape[1]} prompts, the state at {first.at}. Hatched: no such pair.",
        "source: output of block",
        "target: input of block",
        tuple(map(str, late)),
        tuple(map(str, early)),
        "share of prompts",
        tuple(map(Panel, panels, cells)),
    )


def back_patch(
    model: Model,
    prompts: PromptSet,
    *,
    donors: PromptSet,
    at: str | Position,
    read: Metric = right_answer,
) -> Rescues:
    """Every back-patch: the donor's output of block `late` as the prompt's input of block `early`.

    With the prompts as their own donors this is back-patching; with other prompts as donors it is
    the null that has the same tries. `read` says of a run which prompts count as rescued.

    Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2.
    Differs: the input of block 0, the embedding, is among the targets.

    Raises:
        RequestError: as many donors as prompts are needed, with the named position in each.
    """
    given = states_at(model, donors, at)
    return _every(model, prompts, given, (layer_pairs(model.n_layers), position(at)), read)


def back_patch_noise(
    model: Model,
    prompts: PromptSet,
    *,
    at: str | Position,
    seed: int,
    read: Metric = right_answer,
) -> Rescues:
    """Every back-patch with Gaussian noise, as long as the state it stands for: the lottery.

    Each prompt has one vector for each source layer, whatever it is written into, as its own
    states have.

    Pinned:  specs/contracts/test_moved_states.py
    """
    given = noise_like(states_at(model, prompts, at), seed=seed)
    return _every(model, prompts, given, (layer_pairs(model.n_layers), position(at)), read)


def cross_patch(
    model: Model,
    targets: PromptSet,
    *,
    given: States,
    at: str | Position,
    every: int = 1,
    read: Metric = right_answer,
) -> Rescues:
    """Every state of one prompt in another: its output of block `late` as input of block `early`.

    All pairs of layers are tried, whichever is the later. `answered_as` makes targets that are
    right where they answer as others.

    Args:
        model: a loaded model.
        targets: into which prompts.
        given: the outputs of every block of as many other prompts, as `states_at` has them.
        at: where in the targets.
        every: 2 tries each second layer only: inputs of blocks 0, 2, 4, outputs of 1, 3, 5.
        read: which targets count as answered.

    Source:  Biran et al. 2024, arXiv:2406.12775v2, in whose code source and target positions and
             prompts vary; Ghandeharioun et al. 2024, "Patchscopes", arXiv:2401.06102.
    Differs: the input of block 0 is among the targets, and the last block's output is not: no
             later token reads it.
    Pinned:  specs/contracts/test_moved_states.py

    Raises:
        RequestError: as many states as targets are needed.
    """
    n_layers = model.n_layers
    pairs = product(range(0, n_layers, every), range(every - 1, n_layers, every))
    return _every(model, targets, given, (pairs, position(at)), read)


def states_at(model: Model, prompts: PromptSet, at: str | Position) -> States:
    """The output of every block at one position."""
    sites = [resid_post(layer) for layer in range(model.n_layers)]
    done = run(model, prompts, capture=sites)
    return {site: done[site, at] for site in sites}


def answered_as(asked: PromptSet, others: PromptSet) -> PromptSet:
    """Prompts that are right where they answer what others ask, row by row.

    Raises:
        RequestError: as many others as prompts are needed.
    """
    if len(asked) != len(others):
        raise RequestError(
            "each prompt takes another's answer", expected=len(asked), received=len(others)
        )
    pairs = zip(asked.prompts, others.prompts, strict=True)
    taken = (msgspec.structs.replace(one, answers=other.answers) for one, other in pairs)
    return replace(asked, prompts=tuple(taken))


def sampled_until_right(
    model: Model, prompts: PromptSet, *, seed: int, temperature: float = 1.0
) -> Int[np.ndarray, " batch"]:
    """How many next tokens have to be sampled, unedited, until one begins an answer: from 1.

    A prompt is right within K samples where this is at most K: what a best of K patches has to
    beat. Samples are independent, so that the number is drawn at once, geometrically distributed.

    Args:
        model: a loaded model.
        prompts: prompts with answers.
        seed: of the samples.
        temperature: what logits are divided by.

    Raises:
        RequestError: a prompt without answers, or a temperature that is not above zero.
    """
    if not temperature > 0:
        raise RequestError("samples need a temperature above zero", received=temperature)
    done = run(model, prompts)
    if not all(done.encoded.answers):
        raise RequestError("a prompt has no answers", where=repr(prompts), hint="give it answers")
    odds = np.exp(log_softmax(done.next_logits / temperature))
    rows = zip(odds, done.encoded.answers, strict=True)
    hits = np.array([row[sorted(set(ids))].sum() for row, ids in rows])
    tiny = np.finfo(np.float64).tiny
    return np.asarray(np.random.default_rng(seed).geometric(np.clip(hits, tiny, 1.0)))


def _every(
    model: Model,
    prompts: PromptSet,
    given: States,
    where: tuple[Iterable[tuple[int, int]], Position],
    read: Metric,
) -> Rescues:
    """Every (early, late) pair: the given output of `late` as the input of `early`."""
    pairs, at = where
    variants = {
        (early, late): (patch(resid_pre(early), given[resid_post(late)], at=at),)
        for early, late in pairs
    }
    grid = sweep(model, prompts, Variants(("early", "late"), variants), read=read)
    return Rescues(tuple(variants), grid.values, str(at))
