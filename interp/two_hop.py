"""Two-hop questions: which of their hops a model knows, and which it answers around the bridge.

Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2, section on filtering; code:
         edenbiran/HoppingTooLate, src/evaluate_dataset.py.
Differs: beside the paper's lenient metric there is a strict one, the next token, and one of whole
         words.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool
from msgspec.structs import replace

from interp.errors import DataError
from interp.models import Model
from interp.prompts import Prompt, PromptSet
from interp.runs import generate, run
from interp.two_hop_tables import entity_shortcut, relation_shortcut

NEW_TOKENS: Final = 10
PROBE: Final = "It is"  # what an alias is spelled after
Right = Callable[[Model, PromptSet], Bool[np.ndarray, " batch"]]


def next_token(model: Model, prompts: PromptSet) -> Bool[np.ndarray, " batch"]:
    """Whether the likeliest next token is the first of an answer: the strict metric."""
    return run(model, spelled(model, prompts)).correct


def generation(model: Model, prompts: PromptSet) -> Bool[np.ndarray, " batch"]:
    """Whether an answer stands anywhere in ten greedy tokens, in any case: the paper's metric.

    Lenient: "Lao" stands in "Laos" too.
    """
    return _said(model, prompts, whole_words=False)


def whole_words(model: Model, prompts: PromptSet) -> Bool[np.ndarray, " batch"]:
    """As `generation`, where an answer counts only as words of its own."""
    return _said(model, prompts, whole_words=True)


def names(text: str, answers: Sequence[str], *, whole_words: bool = False) -> bool:
    """Whether a text has one of the answers in it, whatever their case."""
    edge = r"\b" if whole_words else ""
    found = (re.escape(one.lower()) for one in answers)
    return any(re.search(f"{edge}{one}{edge}", text.lower()) for one in found)


@dataclass(frozen=True, eq=False, repr=False)
class Hops:
    """Which of the prompts a model answers: each hop alone, both together, and by a shortcut."""

    prompts: PromptSet
    first: Bool[np.ndarray, " batch"]
    second: Bool[np.ndarray, " batch"]
    whole: Bool[np.ndarray, " batch"]
    by_entity: Bool[np.ndarray, " batch"]
    by_relation: Bool[np.ndarray, " batch"]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<hops of {self.prompts}: {int(self.kept.sum())} pass the filter>"

    @property
    def known(self) -> Bool[np.ndarray, " batch"]:
        """Both hops alone are right."""
        return np.asarray(self.first & self.second)

    @property
    def kept(self) -> Bool[np.ndarray, " batch"]:
        """Both hops alone are right, and neither shortcut is."""
        return np.asarray(self.known & ~self.by_entity & ~self.by_relation)

    @property
    def stages(self) -> Mapping[str, Bool[np.ndarray, " batch"]]:
        """What is left after each step of the filter, in its order."""
        return {
            "first hop right": self.first,
            "both hops right": self.known,
            "entity shortcut wrong": self.known & ~self.by_entity,
            "relation shortcut wrong": self.kept,
        }

    def left(self, *, at_least: int) -> PromptSet:
        """The prompts that pass the filter.

        Raises:
            InconclusiveError: fewer than `at_least`.
        """
        return self.prompts.where(self.kept, at_least=at_least)


def known_hops(model: Model, prompts: PromptSet, *, right: Right = next_token) -> Hops:
    """What a model knows of two-hop questions, by a metric of what is right.

    Raises:
        RequestError: prompts without hops or shortcuts.
    """
    asked = (
        prompts.first_hop, prompts.second_hop, prompts,
        entity_shortcut(prompts), relation_shortcut(prompts),
    )  # fmt: skip
    return Hops(prompts, *(right(model, one) for one in asked))


def spelled(model: Model, prompts: PromptSet) -> PromptSet:
    """The prompts without those aliases whose first token says nothing on this model.

    Such an alias is in letters that the model's tokens know only as white space and bytes. The
    first answer, an entity's own name, always stays.
    """
    every = dict.fromkeys(alias for one in prompts.prompts for alias in one.answers[1:])
    silent = {alias for alias in every if not _is_told(model, alias)}
    kept = tuple(
        replace(one, answers=(*one.answers[:1], *(a for a in one.answers[1:] if a not in silent)))
        for one in prompts.prompts
    )
    return dataclasses.replace(prompts, prompts=kept) if silent else prompts


def _is_told(model: Model, alias: str) -> bool:
    try:
        model.backend.tokenizer.encode(PromptSet("alias", (Prompt(text=PROBE, answers=(alias,)),)))
    except DataError:
        return False
    return True


def questions(prompts: PromptSet) -> PromptSet:
    """The prompts as questions alone."""
    asked = tuple(replace(one, answers=(), foils=()) for one in prompts.prompts)
    return dataclasses.replace(prompts, prompts=asked)


def _said(model: Model, prompts: PromptSet, *, whole_words: bool) -> Bool[np.ndarray, " batch"]:
    texts = generate(model, questions(prompts), max_new_tokens=NEW_TOKENS).texts
    return np.array([
        names(text, prompt.answers, whole_words=whole_words)
        for text, prompt in zip(texts, prompts.prompts, strict=True)
    ])  # fmt: skip
