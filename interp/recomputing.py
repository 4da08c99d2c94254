"""Greedy decoding the slow way: no cache, every token of every row computed again at each step.

What `generate` does with a cache must be this, or its edits reach other tokens than they say.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interp.backends.batching import for_rows
from interp.backends.protocol import Write
from interp.edits import Edit
from interp.models import Model
from interp.prompts import PromptSet, as_prompt_set
from interp.resolve import write

NewIds = tuple[tuple[int, ...], ...]


def recompute(
    model: Model, prompts: PromptSet | Sequence[str], *edits: Edit, max_new_tokens: int
) -> NewIds:
    """The tokens that greedy decoding finds by a full forward pass a token, row by row.

    Raises:
        RequestError: an edit that cannot be applied exactly as written.
    """
    encoded = model.encode(as_prompt_set(prompts))
    writes = [write(model, encoded, edit) for edit in edits]
    rows = range(len(encoded.ids))
    return tuple(_continued(model, encoded.ids[row], writes, row, max_new_tokens) for row in rows)


def _continued(
    model: Model, prompt: tuple[int, ...], writes: Sequence[Write], row: int, limit: int
) -> tuple[int, ...]:
    ends, new = model.backend.info.end_ids, list[int]()
    while len(new) < limit and not ends & set(new):
        grown = [_grown(one, row, len(prompt), len(new)) for one in writes]
        logits = model.backend.forward([[*prompt, *new]], grown).logits
        new.append(int(logits[0].argmax()))
    return tuple(new)


def _grown(one: Write, row: int, length: int, n_new: int) -> Write:
    """The write for one row, with the tokens decoded so far under its mask or not."""
    decoded = np.full((1, n_new), fill_value=bool(one.generated[row]))
    own = for_rows(one, [row], length)
    return replace(own, mask=np.concatenate([own.mask, decoded], axis=1))
