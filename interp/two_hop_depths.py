"""Two-hop reasoning by depth: where bridge and answer come up among the likeliest tokens.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, section 2.1, after
         Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2, whose positions t1 and t2 are
         "e1" and "last" here.
Differs: every statistic stands beside the same one of a stranger, a prompt with another bridge and
         another answer; what never comes up is counted, not left out; the bridge is looked for at
         t1 too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.charts import Curves, Line, Plot, floats
from interp.depths import read_depths
from interp.errors import InconclusiveError, RequestError
from interp.metrics import Choices
from interp.models import Model
from interp.prompts import PromptSet
from interp.resolution import first_hit, in_top
from interp.stats import Estimate, clustered
from interp.two_hop import questions, spelled

PLACES: Final = ("e1", "last")  # the paper's t1 and t2
Entity = Literal["bridge", "answer"]
Swapped = Literal["bridge", "both"]


@dataclass(frozen=True, eq=False, repr=False)
class Depths:
    """The first depth at which each entity is among the `k` likeliest tokens, at t1 and t2.

    Depth 0 is the embedding, depth i after block i - 1; `n_layers + 1` is never. `first` has, by
    position, a column for each distinct entity, `own` says which is a prompt's.
    """

    prompts: PromptSet
    k: int
    n_layers: int
    first: Mapping[str, Int[np.ndarray, "batch entity"]]
    own: Mapping[Entity, Int[np.ndarray, " batch"]]
    strangers: Int[np.ndarray, "draw batch"]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<depths of bridge and answer in {self.prompts}, top {self.k}>"

    def of(self, entity: Entity, at: str) -> Int[np.ndarray, " batch"]:
        """Where each prompt's own entity comes up."""
        return self._where(entity, at, np.arange(len(self.prompts)))

    def of_strangers(self, entity: Entity, at: str) -> Int[np.ndarray, "draw batch"]:
        """Where another prompt's entity comes up in this one: what chance does."""
        return np.stack([self._where(entity, at, partners) for partners in self.strangers])

    def resolved(self, entity: Entity, at: str) -> Bool[np.ndarray, " batch"]:
        """Whether it comes up at all."""
        return np.asarray(self.of(entity, at) <= self.n_layers)

    def resolved_by_chance(self, entity: Entity, at: str) -> Bool[np.ndarray, "draw batch"]:
        """The same of strangers' entities."""
        return np.asarray(self.of_strangers(entity, at) <= self.n_layers)

    def sequential(self, bridge_at: str, answer_at: str = "last") -> Bool[np.ndarray, " batch"]:
        """Whether bridge and answer come up, the bridge at a lesser depth."""
        bridge, answer = self.of("bridge", bridge_at), self.of("answer", answer_at)
        return _in_sequence(bridge, answer, self.n_layers)

    def sequential_by_chance(
        self, bridge_at: str, answer_at: str = "last", *, swapped: Swapped = "bridge"
    ) -> Bool[np.ndarray, "draw batch"]:
        """The same of a stranger's bridge with the prompt's own answer, or of both a stranger's."""
        bridge = self.of_strangers("bridge", bridge_at)
        answers = self.of_strangers if swapped == "both" else self.of
        return _in_sequence(bridge, answers("answer", answer_at), self.n_layers)

    def gap(self, bridge_at: str, answer_at: str = "last") -> Float[np.ndarray, " batch"]:
        """Layers from bridge to answer, above 0 in sequence; NaN where one never comes up."""
        bridge, answer = self.of("bridge", bridge_at), self.of("answer", answer_at)
        return _apart(bridge, answer, self.n_layers)

    def gap_by_chance(
        self, bridge_at: str, answer_at: str = "last"
    ) -> Float[np.ndarray, "draw batch"]:
        """The same from a stranger's bridge to the prompt's own answer."""
        bridge, answer = self.of_strangers("bridge", bridge_at), self.of("answer", answer_at)
        return _apart(bridge, answer, self.n_layers)

    def chart(self) -> Curves:
        """How many bridges and answers have come up by each depth; the bands are strangers'."""
        lines: list[Line] = []
        x = floats(range(self.n_layers + 1))
        for entity, at in product(self.own, self.first):
            share, null = self.of(entity, at), self.of_strangers(entity, at)
            name = f"{entity} at {at}"
            lines.append(Line(name, x, floats((share <= d).mean() for d in range(len(x)))))
            draws = [
                np.quantile((null <= d).mean(axis=1), (0.025, 0.5, 0.975)) for d in range(len(x))
            ]
            low, middle, high = (floats(part) for part in zip(*draws, strict=True))
            lines.append(Line(f"{name}, a stranger's", x, middle, low, high, "control"))
        return Curves(
            f"Bridge and answer among the {self.k} likeliest tokens",
            f"n = {len(self.prompts)} prompts that know both hops and no shortcut. Bands: 95 % of "
            f"{len(self.strangers)} draws of a stranger's entity.",
            "after block",
            (Plot("share come up by this depth", tuple(lines)),),
            ("embed", *map(str, range(self.n_layers))),
        )  # fmt: skip

    def _where(
        self, entity: Entity, at: str, partners: Int[np.ndarray, " batch"]
    ) -> Int[np.ndarray, " batch"]:
        rows = np.arange(len(self.prompts))
        return np.asarray(self.first[at][rows, self.own[entity][partners]])


def hop_depths(model: Model, prompts: PromptSet, *, k: int, draws: int = 100) -> Depths:
    """Where bridge and answer come up in a model, and where those of strangers do.

    Raises:
        RequestError: prompts without hops, k below 1 or above the vocabulary.
        InconclusiveError: a prompt has no stranger among the others.
    """
    if not 1 <= k <= model.backend.info.d_vocab:
        raise RequestError("k counts tokens", asked="hop_depths(...)", received=f"k={k}")
    strangers = _strangers(prompts, draws)
    answers: dict[Entity, Choices] = {
        "bridge": model.encode(spelled(model, prompts.first_hop)).answers,
        "answer": model.encode(spelled(model, prompts)).answers,
    }
    columns = {entity: [tuple(sorted(ids)) for ids in one] for entity, one in answers.items()}
    distinct = list(dict.fromkeys(ids for one in columns.values() for ids in one))
    own = {e: np.array([distinct.index(ids) for ids in one]) for e, one in columns.items()}
    asked, read = questions(prompts), in_top(k, distinct)
    first = {at: first_hit(read_depths(model, asked, read=read, at=at)) for at in PLACES}
    return Depths(prompts, k, model.n_layers, first, own, strangers)


def mean_where_known(values: Float[np.ndarray, "... batch"], clusters: Sequence[str]) -> Estimate:
    """The mean of what is a number, draws averaged prompt by prompt, bootstrapped over clusters.

    Raises:
        InconclusiveError: nothing is.
    """
    draws = np.atleast_2d(values)
    known = ~np.isnan(draws)
    some = known.any(axis=0)
    if not some.any():
        raise InconclusiveError("no bridge and answer both come up", received=f"0 of {len(some)}")
    means = np.nansum(draws, axis=0)[some] / known.sum(axis=0)[some]
    return clustered(means, [name for name, kept in zip(clusters, some, strict=True) if kept])


def _in_sequence(bridge: np.ndarray, answer: np.ndarray, n_layers: int) -> np.ndarray:
    return np.asarray((bridge < answer) & (answer <= n_layers))


def _apart(bridge: np.ndarray, answer: np.ndarray, n_layers: int) -> np.ndarray:
    both = (bridge <= n_layers) & (answer <= n_layers)
    return np.where(both, answer - bridge, np.nan)


def _strangers(prompts: PromptSet, draws: int) -> Int[np.ndarray, "draw batch"]:
    """For each prompt as many places, drawn from those of another bridge and other answers."""
    groups, answers = np.array(prompts.groups), [set(one.answers) for one in prompts.prompts]
    random, columns = np.random.default_rng(0), []
    for place, own in enumerate(answers):
        apart = groups != groups[place]
        others = [one for one in np.flatnonzero(apart) if not answers[one] & own]
        if not others:
            raise InconclusiveError(
                "a prompt has no partner of another group with another answer",
                asked="hop_depths(...)",
                received=repr(prompts.prompts[place].content),
            )
        columns.append(random.choice(others, size=draws))
    return np.stack(columns, axis=1)
