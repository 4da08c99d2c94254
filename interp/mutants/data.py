"""Bugs of what goes in: prompts, answers, splits, labels, tokens, checkpoints, directions."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, replaced

PLAN = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27"
STEERING = "GPT-2 Activation Steering Experiment, 2025-10-21"
DERANGE = "interp.prompts:PromptSet.derange"


def any_split(right: Any) -> Any:
    """Give the prompts of every split."""
    return lambda self, **how: right(self, **{**how, "split": ""})


def with_fixed_points(_right: Any) -> Any:
    """A permutation, in which a row may keep itself."""

    def derange(self: Any, *, seed: int, **_alike: Any) -> Any:
        order = np.random.default_rng(seed).permutation(len(self))
        return replace(self, prompts=tuple(self.prompts[row] for row in order))

    return derange


def halfway(right: Any) -> Any:
    """Shuffle the labels of a half, and count the rest as shuffled."""

    def shuffles(self: Any, n: int, seed: int) -> Any:
        kept = self.positive.mean(axis=0) - self.negative.mean(axis=0)
        drawn = right(self, n, seed)
        drawn[::2] = kept
        return drawn

    return shuffles


def same_half(_right: Any) -> Any:
    """Compare a half with itself."""
    return lambda self, *, seed: replace(self).direction.cosine(self.direction) * (seed is not None)


def overlapping(right: Any) -> Any:
    """Drop what both kinds share from one of them, instead of refusing it."""

    def contrast(model: Any, positive: Any, negative: Any, **how: Any) -> Any:
        texts = {prompt.content for prompt in negative.prompts}
        own = np.array([prompt.content not in texts for prompt in positive.prompts])
        return right(model, positive.where(own), negative, **how)

    return contrast


def bos_twice(right: Any) -> Any:
    """Put a BOS before a text that gets one anyway."""

    def tokens(self: Any, text: str) -> Any:
        ids, offsets = right(self, text)
        return (ids[0], *ids), [offsets[0], *offsets]

    return tokens


def glued(_right: Any) -> Any:
    """Put the answer right behind the prompt."""
    return lambda self, prompt, answer: (
        self._chat(prompt, answer) if prompt.user else f"{prompt.text}{answer}"
    )


def bare(right: Any) -> Any:
    """Take an answer's first token without the space before it."""

    def first_token(self: Any, prompt: Any, ids: Any, answer: str) -> int:
        right(self, prompt, ids, answer)
        alone = self._hf(answer, add_special_tokens=False)["input_ids"]
        return int(alone[0])

    return first_token


MUTANTS = (
    Mutant("train-items-in-test", STEERING, replaced("interp.prompts:PromptSet.only", any_split)),
    Mutant(
        "donors-are-the-recipients",
        "HoppingTooLate",
        replaced(
            DERANGE,
            lambda _: (
                lambda self, *, seed, **_alike: replace(self, version=self.version + 0 * seed)
            ),
        ),
    ),
    Mutant("shuffled-with-fixed-points", PLAN, replaced(DERANGE, with_fixed_points)),
    Mutant(
        "half-of-the-labels-not-shuffled",
        PLAN,
        replaced("interp.directions:Contrast._shuffles", halfway),
    ),
    Mutant(
        "mean-difference-the-other-way-round",
        "vLLM-Hook #35",
        replaced(
            "interp.directions:Contrast.direction",
            lambda right: lambda self: replace(right(self), vector=-right(self).vector),
        ),
    ),
    Mutant(
        "a-half-agrees-with-itself",
        STEERING,
        replaced("interp.directions:Contrast.agreement", same_half),
    ),
    Mutant(
        "contrast-of-overlapping-sets",
        STEERING,
        replaced("interp.directions:contrast", overlapping),
    ),
    Mutant(
        "qualified-by-too-few",
        STEERING,
        replaced(
            "interp.prompts:PromptSet.where",
            lambda right: (
                lambda self, mask, *, at_least=1: right(self, mask, at_least=at_least * 0)
            ),
        ),
    ),
    Mutant(
        "two-bos",
        "TransformerLens #1418",
        replaced("interp.backends.tokenizer:Tokenizer._tokens", bos_twice),
    ),
    Mutant(
        "answer-glued-to-the-prompt",
        "lm-eval #704",
        replaced("interp.backends.tokenizer:Tokenizer._with_answer", glued),
    ),
    Mutant(
        "answer-without-its-space",
        "lm-eval #704",
        replaced("interp.backends.tokenizer:Tokenizer._first_token", bare),
    ),
    Mutant(
        "missing-weights-accepted",
        "CODI, a state dict loaded with strict=False",
        replaced("interp.backends.torch_loading:_refuse_mismatch", lambda _: lambda *_given: None),
    ),
    Mutant(
        "weights-that-are-no-numbers-accepted",
        "transformers #36832",
        replaced(
            "interp.backends.torch_loading:_refuse_non_finite", lambda _: lambda *_given: None
        ),
    ),
    Mutant(
        "overflow-let-through",
        "transformers #39972; vllm #17364",
        replaced("interp.backends.taps:finite", lambda _: lambda value, *_given: value),
    ),
    Mutant(
        "direction-of-another-model",
        "tuned-lens, tensor_hash",
        replaced(
            "interp.resolve:write",
            lambda right: (
                lambda model, encoded, edit: right(model, encoded, replace(edit, fingerprint=""))
            ),
        ),
    ),
    Mutant(
        "vector-broadcast",
        "einops, why shapes are written",
        replaced("interp.resolve:_refuse_shape", lambda _: lambda *_given: None),
    ),
    Mutant(
        "a-stranger-may-be-oneself",
        PLAN,
        replaced(
            "interp.two_hop_depths:_strangers",
            lambda _: (
                lambda prompts, draws: np.random.default_rng(0).integers(
                    len(prompts), size=(draws, len(prompts))
                )
            ),
        ),
    ),
)
