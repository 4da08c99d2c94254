"""What is read of logits, the same for everybody: ours in numpy, the others' in torch."""

import numpy as np
import torch

from interp.runs import Generation


def rank(logits: torch.Tensor, answers: list[int]) -> np.ndarray:
    """How many tokens are likelier than the best answer."""
    best = logits[:, answers].amax(dim=1, keepdim=True)
    return (logits > best).sum(dim=1).numpy()


def probability(logits: torch.Tensor, answers: list[int]) -> np.ndarray:
    """The probability of the best answer."""
    return logits.softmax(dim=-1)[:, answers].amax(dim=1).numpy()


def ranks(logits: np.ndarray, targets: list[int]) -> np.ndarray:
    """The ranks of some tokens in each row of numpy logits."""
    counts = [[np.count_nonzero(row > row[target]) for target in targets] for row in logits]
    return np.array(counts)


def tokens(new: int, generation: Generation) -> np.ndarray:
    """The new tokens of a generation, -1 after a row's end."""
    return np.array([(*row, *[-1] * (new - len(row))) for row in generation.new_ids])
