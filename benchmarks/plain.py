"""What a user of transformers writes: hooks, and one run a cell, or one for all prompts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

Ids = Sequence[Sequence[int]]
Change = Callable[[Tensor], Tensor]


@contextmanager
def changed(module: Any, change: Change, *, output: bool = False) -> Iterator[None]:
    """A module's input or output changed."""

    def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}

    def after(_module: Any, _args: Any, made: Any) -> Any:
        return (change(made[0]), *made[1:]) if isinstance(made, tuple) else change(made)

    if output:
        handle = module.register_forward_hook(after)
    else:
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def right_padded(ids: Ids) -> tuple[Tensor, Tensor]:
    """Rows of one batch, and where each has its last token."""
    last = torch.tensor([len(row) - 1 for row in ids])
    padded = torch.zeros(len(ids), int(last.max()) + 1, dtype=torch.long)
    for row, tokens in enumerate(ids):
        padded[row, : len(tokens)] = torch.tensor(tokens)
    return padded, last


@torch.no_grad()
def next_logits(model: Any, ids: Ids, *, lean: bool) -> Tensor:
    """The logits after each row.

    A lean run has no cache and makes logits at the last positions only; otherwise they are made at
    every position and a cache is filled, as a call of the model does that says nothing.
    """
    padded, last = right_padded(ids)
    if not lean:
        return model(padded).logits[torch.arange(len(ids)), last]
    kept = torch.unique(last)
    out = model(input_ids=padded, use_cache=False, logits_to_keep=kept).logits
    return out[torch.arange(len(ids)), torch.searchsorted(kept, last)]


@torch.no_grad()
def generated(model: Any, ids: Ids, count: int) -> list[list[int]]:
    """The model's own greedy decoding, left-padded."""
    longest = max(map(len, ids))
    rows = [[0] * (longest - len(row)) + list(row) for row in ids]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in ids]
    out = model.generate(
        torch.tensor(rows),
        attention_mask=torch.tensor(mask),
        max_new_tokens=count,
        min_new_tokens=count,
        do_sample=False,
        pad_token_id=0,
    )
    return out[:, longest:].tolist()
