"""Entity description: a state put into a prompt that makes the model say what it stands for.

The target prompt has a placeholder, the span `x`. A state of another prompt takes its place before
some block, and the model goes on as if it had read what the state stands for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.charts import HeatMap, Panel
from interp.edits import Edit, patch
from interp.errors import RequestError
from interp.grids import Variants
from interp.metrics import Choices, top1
from interp.models import Model
from interp.positions import Position
from interp.prompts import Prompt, PromptSet
from interp.readers import Logits, Reader
from interp.runs import generate, run
from interp.sites import resid_post, resid_pre
from interp.sweeps import sweep

PLACEHOLDER = "x"
States = Mapping[int, Float[np.ndarray, "batch d_model"]]  # by the layer they are the output of


@dataclass(frozen=True, eq=False, repr=False)
class Described:
    """What is said for each (source, target) pair of layers: the output of one, input of the other.

    `named` says whether the likeliest next token is the first of one of the names.
    """

    pairs: tuple[tuple[int, int], ...]
    likeliest: Int[np.ndarray, "pair batch"]
    named: Bool[np.ndarray, "pair batch"]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        named, of = int(self.any.sum()), self.named.shape[1]
        return f"<{named} of {of} named by one of {len(self.pairs)} pairs of layers>"

    @property
    def any(self) -> Bool[np.ndarray, " batch"]:
        """Whether some pair names it: the best of all tries, never evidence by itself."""
        return np.asarray(self.named.any(axis=0))

    def best(self, chosen: Bool[np.ndarray, " batch"]) -> tuple[int, int]:
        """The pair that names most of the chosen; the earliest of equals."""
        return self.pairs[int(self.named[:, chosen].sum(axis=1).argmax())]

    def by(self, pair: tuple[int, int]) -> Bool[np.ndarray, " batch"]:
        """What one pair names."""
        return np.asarray(self.named[self.pairs.index(pair)])

    def chart(self, nulls: Mapping[str, "Described"]) -> HeatMap:
        """The share that each pair of layers names, beside those of the nulls."""
        sources, targets = (tuple(dict.fromkeys(each)) for each in zip(*self.pairs, strict=True))
        panels = {"own state": self, **nulls}
        return HeatMap(
            "Entity description: share named",
            f"n = {self.named.shape[1]} entities, named by the first token that is said.",
            "source: output of block",
            "target: input of block",
            tuple(map(str, sources)),
            tuple(map(str, targets)),
            "share of entities",
            tuple(Panel(name, _cells(one, sources, targets)) for name, one in panels.items()),
        )


def states_of(
    model: Model, prompts: PromptSet, layers: Sequence[int], *, at: str | Position
) -> States:
    """The outputs of some blocks at one token of each prompt."""
    done = run(model, prompts, capture=[resid_post(layer) for layer in layers])
    return {layer: done[resid_post(layer), at] for layer in layers}


def noise_like(states: States, *, seed: int) -> States:
    """Random vectors, each as long as the state it stands for."""
    rng = np.random.default_rng(seed)
    return {layer: _as_long(rng.normal(size=own.shape), own) for layer, own in states.items()}


def placed(description: Prompt, names: Sequence[Sequence[str]]) -> PromptSet:
    """A description prompt once for each entity, whose names are the answers."""
    rows = tuple(
        Prompt(text=description.text, spans=description.spans, answers=tuple(each))
        for each in names
    )
    return PromptSet(f"described by {description.text!r}", rows)


def written(
    description: Prompt, entities: Sequence[str], names: Sequence[Sequence[str]]
) -> PromptSet:
    """The same with each entity written in the place of x: what a description has to name.

    Raises:
        RequestError: the prompt has no span x.
    """
    start, end = description.span(PLACEHOLDER)
    before, mark, behind = (
        description.text[part] for part in (slice(start), slice(start, end), slice(end, None))
    )
    lead = mark[: len(mark) - len(mark.lstrip())]
    rows = tuple(
        Prompt(text=f"{before}{lead}{entity}{behind}", answers=tuple(each))
        for entity, each in zip(entities, names, strict=True)
    )
    return PromptSet(f"written into {description.text!r}", rows)


def describe(
    model: Model,
    targets: PromptSet,
    states: States,
    *,
    at: str | Position = PLACEHOLDER,
) -> Described:
    """Each state in the place of the placeholder before each block, and what is said then.

    With another entity's states, or random ones, this is the null that has the same tries.

    Args:
        model: a loaded model.
        targets: the description prompt, a row an entity, with its names as answers.
        states: by source layer, a row an entity.
        at: the placeholder: one token a row, the last of its span.

    Source:  Ghandeharioun et al. 2024, "Patchscopes", arXiv:2401.06102; the description of Biran et
             al. 2024, "Hopping Too Late", arXiv:2406.12775v2.
    Differs: the next token instead of what is sampled, `said` having the words; the targets are
             inputs of blocks, the embedding among them and the stream after the last block not.
    Pinned:  specs/contracts/test_descriptions.py

    Raises:
        RequestError: a target without names, or states of another number of rows.
    """
    if not all(prompt.answers for prompt in targets.prompts):
        raise RequestError("a description names something", where=repr(targets))
    tries = {
        (source, target): put(target, state, at=at)
        for source, state in states.items()
        for target in model.layers
    }
    each = Variants(("source", "target"), tries)
    found = sweep(model, targets, each, read=_NEXT).values
    return Described(tuple(tries), found[..., 0], found[..., 1] > 0)


def said(
    model: Model, prompts: PromptSet, *edits: Edit, max_new_tokens: int
) -> Bool[np.ndarray, " batch"]:
    """Whether one of a prompt's answers stands in what is generated, in whole words and any case.

    Raises:
        RequestError: a prompt without answers.
    """
    if not all(prompt.answers for prompt in prompts.prompts):
        raise RequestError("a description names something", where=repr(prompts))
    done = generate(model, prompts, *edits, max_new_tokens=max_new_tokens)
    rows = zip(prompts.prompts, done.texts, strict=True)
    return np.array([_holds(text, prompt.answers) for prompt, text in rows])


def put(
    layer: int, state: Float[np.ndarray, "batch d_model"], *, at: str | Position
) -> tuple[Edit, ...]:
    """A state in the place of the placeholder's, before a block."""
    return (patch(resid_pre(layer), state, at=at),)


def _cells(
    one: Described, sources: Sequence[int], targets: Sequence[int]
) -> tuple[tuple[float | None, ...], ...]:
    """The share of each pair, a row for each target; None where there is no such pair."""
    rates = dict(zip(one.pairs, map(float, one.named.mean(axis=1)), strict=True))
    return tuple(tuple(rates.get((early, late)) for early in sources) for late in targets)


def _next(logits: Logits, answers: Choices, _: Choices) -> Int[np.ndarray, "batch 2"]:
    """The likeliest token, and whether it is the first of an answer."""
    return np.stack([logits.argmax(axis=-1), top1(logits, answers).astype(np.int64)], axis=1)


_NEXT = Reader("what is said first", _next)


def _holds(text: str, names: Sequence[str]) -> bool:
    """Whether one of the names stands in a text, in whole words and any case."""
    words = (rf"(?<!\w){re.escape(name.strip().casefold())}(?!\w)" for name in names)
    return any(re.search(word, text.casefold()) for word in words)


def _as_long(
    values: Float[np.ndarray, "batch d_model"], like: Float[np.ndarray, "batch d_model"]
) -> Float[np.ndarray, "batch d_model"]:
    """These vectors, each as long as its counterpart."""
    lengths = [np.linalg.norm(one, axis=-1, keepdims=True) for one in (like, values)]
    return np.asarray(values * lengths[0] / lengths[1], dtype=np.float32)
