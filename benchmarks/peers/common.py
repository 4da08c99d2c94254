"""What peers have in common: batches, and what is read of logits."""

import numpy as np
import torch
from torch import Tensor


def left_padded(ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Rows that end together, and which of their tokens are real."""
    longest = max(map(len, ids))
    rows = [[0] * (longest - len(row)) + row for row in ids]
    real = [[0] * (longest - len(row)) + [1] * len(row) for row in ids]
    return torch.tensor(rows), torch.tensor(real)


def right_padded(ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Rows that begin together, and where each has its last token; causal rows see no padding."""
    padded = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
    for row, tokens in enumerate(ids):
        padded[row, : len(tokens)] = torch.tensor(tokens)
    return padded, torch.tensor([len(row) - 1 for row in ids])


def rank(logits: Tensor, answers: list[int]) -> np.ndarray:
    """How many tokens are likelier than the best answer: [..., vocab] to [...]."""
    best = logits[..., answers].amax(dim=-1, keepdim=True)
    return (logits > best).sum(dim=-1).numpy()


def ranks(logits: Tensor, targets: list[int]) -> np.ndarray:
    """The ranks of some tokens: [token, vocab] to [token, target]."""
    return torch.stack([(logits > logits[:, t : t + 1]).sum(dim=1) for t in targets], dim=1).numpy()


def probability(logits: Tensor, answers: list[int]) -> np.ndarray:
    """The probability of the best answer."""
    return logits.softmax(dim=-1)[..., answers].amax(dim=-1).numpy()


def difference(sums: list[Tensor], counts: list[int]) -> np.ndarray:
    """The first mean minus the second."""
    return (sums[0] / counts[0] - sums[1] / counts[1]).float().numpy()
