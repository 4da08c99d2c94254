"""Thoughts of one question put into another: pairs, donors, and what is answered then.

A pair is a question and the same with one other number. Thoughts are kept and written at one site;
step i of the donor goes to step i of the question that is asked.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20.
Differs: six thoughts after the token that begins them; nothing stays on when they are over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped

from interp.charts import Bars, Curves, Line, Part, Plot
from interp.edits import Edit, patch
from interp.errors import InconclusiveError
from interp.models import Model
from interp.norms import noise_like
from interp.outcomes import OUTCOMES, Outcomes, outcomes
from interp.positions import thought
from interp.prompts import Prompt, PromptSet
from interp.sites import Site
from interp.stats import Estimate
from interp.thought_sweeps import think_sweep
from interp.thoughts import N_THOUGHTS, Thinking, think

Donor = Mapping[Site, Float[np.ndarray, "thought batch d_model"]]


@dataclass(frozen=True, repr=False)
class Pairs:
    """Clean and corrupted questions, row by row, where both are answered."""

    clean: PromptSet
    corrupted: PromptSet

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<{len(self)} pairs of {self.clean.name!r}, both answered>"

    def __len__(self) -> int:
        """How many pairs."""
        return len(self.clean)

    def outcomes(self, texts: Sequence[str]) -> Outcomes:
        """Whose answer each corrupted question was given."""
        sides = ([one.answers[0] for one in side.prompts] for side in (self.clean, self.corrupted))
        return outcomes(texts, *sides)

    def with_namesakes(self, pool: PromptSet) -> "Pairs":
        """The pairs whose clean answer is also that of another question of the pool."""
        kept = np.array([bool(_namesakes(one, pool)) for one in self.clean.prompts])
        return Pairs(self.clean.where(kept), self.corrupted.where(kept))

    def answered(self, model: Model, variants: Sequence[tuple[Edit, ...]]) -> list[Outcomes]:
        """Whose answer the corrupted questions are given under each variant.

        Edits that nothing reads are let through.
        """
        grid = think_sweep(model, self.corrupted, variants, read=_texts, dead_sites=True)
        return [self.outcomes(texts) for texts in grid.values.tolist()]

    def logits(
        self, model: Model, variants: Sequence[tuple[Edit, ...]], *, said: str
    ) -> Float[np.ndarray, "variant batch d_vocab"]:
        """The logits after the corrupted questions and what is said for the model, each variant."""
        asked = self.corrupted, variants
        return think_sweep(model, *asked, read=_next_logits, said=said, dead_sites=True).values


def both_correct(model: Model, prompts: PromptSet, *, most: int, at_least: int = 1) -> Pairs:
    """The first so many pairs of a prompt set whose two questions are both answered.

    Args:
        model: a loaded model with continuous thoughts.
        prompts: questions with the label `kind`, "clean" or "corrupted", in the same order.
        most: how many pairs to stop at.
        at_least: how many pairs a claim about them needs.

    Raises:
        InconclusiveError: fewer than `at_least` pairs.
    """
    clean, corrupted = (prompts.only(kind=kind) for kind in ("clean", "corrupted"))
    both = np.zeros(len(clean), dtype=bool)
    for start in range(0, len(clean), 2 * most):
        part = np.isin(np.arange(len(clean)), range(start, start + 2 * most))
        sides = (think(model, side.where(part)).correct for side in (clean, corrupted))
        both[part] = np.logical_and(*sides)
        if both.sum() >= most:
            break
    kept = both & (both.cumsum() <= most)
    return Pairs(clean.where(kept, at_least=at_least), corrupted.where(kept))


def thoughts_of(model: Model, questions: PromptSet, sites: Sequence[Site]) -> Donor:
    """What each site is at each thought of each question."""
    thinking = think(model, questions, capture=sites)
    return {
        site: np.stack([thinking[site, thought(step)] for step in range(N_THOUGHTS)])
        for site in sites
    }


def transplant(site: Site, donor: Donor, steps: Iterable[int]) -> tuple[Edit, ...]:
    """The donor's thoughts in the place of a question's own, at these steps."""
    return tuple(patch(site, donor[site][step], at=thought(step)) for step in sorted(steps))


def mean_like(donor: Donor) -> Donor:
    """Each thought's mean over the questions, for every question."""
    means = {site: own.mean(axis=1, keepdims=True) for site, own in donor.items()}
    return {site: np.broadcast_to(means[site], own.shape) for site, own in donor.items()}


def donors_of(model: Model, pairs: Pairs, pool: PromptSet, site: Site) -> dict[str, Donor]:
    """The clean question's thoughts ("own"), and four that have nothing of its reasoning.

    Those of an unrelated question, of one of the pool that has the clean answer by another way,
    random vectors as long, and the mean thoughts.

    Raises:
        InconclusiveError: a question has no other with its answer, or none that is unrelated.
    """
    asked = {
        "own": pairs.clean,
        "unrelated": pairs.clean.derange(seed=0),
        "same answer": same_answer(pairs.clean, pool),
    }
    found = {name: thoughts_of(model, questions, [site]) for name, questions in asked.items()}
    return {**found, "noise": noise_like(found["own"], seed=0), "mean": mean_like(found["own"])}


def same_answer(questions: PromptSet, pool: PromptSet) -> PromptSet:
    """For each question another one of the pool, of another group, that has the same answer.

    Raises:
        InconclusiveError: a question has none; see `Pairs.with_namesakes`.
    """
    picked = []
    for number, one in enumerate(questions.prompts):
        others = _namesakes(one, pool)
        if not others:
            raise InconclusiveError(
                "a question has no other with the same answer",
                asked=f"same_answer({questions!r})",
                received=one.content,
            )
        picked.append(others[number % len(others)])
    return replace(questions, prompts=tuple(picked))


def outcome_bars(title: str, across: str, columns: Mapping[str | int, Outcomes]) -> Bars:
    """How often each outcome came out, a bar for each of some conditions."""
    n = len(next(iter(columns.values())).kinds)
    parts = [
        Part(kind, tuple(float(one.are(kind).mean()) for one in columns.values()))
        for kind in OUTCOMES
    ]
    return Bars(
        title,
        f"n = {n} pairs a bar",
        across,
        "share of pairs",
        tuple(map(str, columns)),
        tuple(parts),
    )


def estimate_curves(
    title: str, across: str, lines: Mapping[str, Mapping[int, Estimate]], *, up: str = "share"
) -> Curves:
    """Estimates over counted things, layers or thoughts, with their intervals, a line a name."""
    n = next(iter(next(iter(lines.values())).values())).n
    drawn = tuple(Line.of(name, each, [*each.values()]) for name, each in lines.items())
    return Curves(title, f"n = {n} a point. Bars: 95 % intervals.", across, (Plot(up, drawn),))


def _namesakes(one: Prompt, pool: PromptSet) -> list[Prompt]:
    """The questions of another group that have its answer."""
    right = set(one.answers)
    return [
        other for other in pool.prompts if other.group != one.group and right & {*other.answers}
    ]


def _texts(thinking: Thinking) -> Shaped[np.ndarray, " batch"]:
    return np.array(thinking.texts)


def _next_logits(thinking: Thinking) -> Float[np.ndarray, "batch d_vocab"]:
    return thinking.next_logits
