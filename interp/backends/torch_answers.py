"""The answer that follows thoughts, decoded greedily: the same loop for every way of thinking."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.backends.batching import until
from interp.backends.protocol import ModelInfo, ThoughtInfo
from interp.backends.thinking import ThinkRequest
from interp.errors import RequestError


class Course(Protocol):
    """Rows that have thought and are to answer."""

    def logits(self, tokens: Tensor) -> Tensor:
        """The logits after these next tokens of each row, float32 on the CPU: [row, d_vocab]."""
        ...


@dataclass(frozen=True, eq=False)
class Spoken:
    """The answers, the logits before them, and how many tokens of a row were fed."""

    new_ids: tuple[tuple[int, ...], ...]
    logits: Float[np.ndarray, "row d_vocab"]
    passes: int


def spoken(
    course: Course, info: ModelInfo, about: ThoughtInfo, n_rows: int, request: ThinkRequest
) -> Spoken:
    """The answer after what was said: the token that ends the thoughts is never one of it."""
    begun = (about.end, *request.said)
    ends = torch.tensor(sorted(info.end_ids), dtype=torch.long)
    first = out = course.logits(torch.tensor([begun] * n_rows))
    steps, done = list[Tensor](), torch.zeros(n_rows, dtype=torch.bool)
    while len(steps) < request.max_new_tokens:
        steps.append(out[:, : about.end].argmax(-1))
        done |= torch.isin(steps[-1], ends)
        if len(steps) == request.max_new_tokens or done.all():
            break
        out = course.logits(steps[-1][:, None])
    new = torch.stack(steps, dim=1).tolist() if steps else [[] for _ in range(n_rows)]
    passes = len(begun) + max(len(steps) - 1, 0)
    return Spoken(tuple(until(row, info.end_ids) for row in new), first.numpy(), passes)


def refuse_too_long(info: ModelInfo, length: int, request: ThinkRequest) -> None:
    """Nothing, if a question of this length, the thoughts and the answer fit the model.

    Raises:
        RequestError: they do not.
    """
    whole = length + request.n_thoughts + 1 + len(request.said) + request.max_new_tokens
    if whole > info.max_length:
        raise RequestError(
            "question, thoughts and answer must fit the model",
            expected=f"at most {info.max_length} positions",
            received=whole,
            hint="fewer new tokens",
        )
