"""From logits to one number per prompt: float32 [batch, d_vocab] in, [batch] out."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.errors import RequestError

Choices = Sequence[tuple[int, ...]]


def log_softmax(logits: Float[np.ndarray, "batch d_vocab"]) -> Float[np.ndarray, "batch d_vocab"]:
    """Log-probabilities in nats, summed in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def best_of(
    logits: Float[np.ndarray, "batch d_vocab"], choices: Choices
) -> Float[np.ndarray, " batch"]:
    """The largest logit among each row's choices (the first tokens of its aliases)."""
    return np.array([row[list(ids)].max() for row, ids in zip(logits, choices, strict=True)])


def top1(
    logits: Float[np.ndarray, "batch d_vocab"], choices: Choices
) -> Bool[np.ndarray, " batch"]:
    """Whether the likeliest token is one of the row's choices."""
    likeliest = logits.argmax(axis=-1)
    return np.array([int(t) in ids for t, ids in zip(likeliest, choices, strict=True)], dtype=bool)


def rank(logits: Float[np.ndarray, "batch d_vocab"], choices: Choices) -> Int[np.ndarray, " batch"]:
    """How many tokens are strictly likelier than the row's best choice; 0 is the top."""
    best = best_of(logits, choices)
    above = logits > best[:, None]
    return np.array([np.count_nonzero(row) for row in above])


def probability(
    logits: Float[np.ndarray, "batch d_vocab"], choices: Choices
) -> Float[np.ndarray, " batch"]:
    """The probability of each row's best choice."""
    best, top = (each.astype(np.float64) for each in (best_of(logits, choices), logits.max(axis=1)))
    return np.asarray(np.exp(best - top - _log_sums(logits)))


def _log_sums(logits: Float[np.ndarray, "batch d_vocab"]) -> Float[np.ndarray, " batch"]:
    """The log of the sum of each row's probabilities over its largest, a row at a time."""
    rows = (row.astype(np.float64) - row.max() for row in logits)
    return np.array([np.log(np.exp(row).sum()) for row in rows])


def logit_difference(
    logits: Float[np.ndarray, "batch d_vocab"], answers: Choices, foils: Choices
) -> Float[np.ndarray, " batch"]:
    """Best answer minus best foil, in logits; positive where the answer is ahead."""
    return np.asarray(best_of(logits, answers) - best_of(logits, foils))


def kl_divergence(
    reference: Float[np.ndarray, "batch d_vocab"], other: Float[np.ndarray, "batch d_vocab"]
) -> Float[np.ndarray, " batch"]:
    """KL(reference || other) per row, in nats; never below zero but for rounding."""
    p, q = log_softmax(reference), log_softmax(other)
    return np.asarray((np.exp(p) * (p - q)).sum(axis=-1))


def relative_error(value: Float[np.ndarray, "..."], reference: Float[np.ndarray, "..."]) -> float:
    """The largest difference, relative to the largest reference value; padding (NaN) aside.

    Raises:
        RequestError: the shapes differ, or only one of the two is NaN somewhere.
    """
    if value.shape != reference.shape or (np.isnan(value) != np.isnan(reference)).any():
        raise RequestError(
            "only arrays of one shape and padding can be compared",
            expected=reference.shape,
            received=value.shape,
        )
    apart = np.nanmax(np.abs(value.astype(np.float64) - reference))
    return float(apart / max(float(np.nanmax(np.abs(reference))), 1e-9))
