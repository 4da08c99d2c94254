"""Sites of many prompts, a few prompts at a time: memory does not grow with how many there are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from interp.encoded import Encoded
from interp.ledger import report
from interp.models import Model
from interp.positions import Position
from interp.sites import Site

TOKENS = 1024  # of prompts that are run together, padding counted


@dataclass(frozen=True, eq=False)
class Part:
    """What some prompts have at sites: one value a named token; `row` and `at` say which tokens."""

    row: Int[np.ndarray, " token"]
    at: Int[np.ndarray, " token"]
    values: Mapping[Site, Float[np.ndarray, "token ..."]]


def streamed(
    model: Model, encoded: Encoded, sites: Sequence[Site], at: str | Position
) -> Iterator[Part]:
    """The sites of all prompts at a position, those of prompts of about one length together."""
    report("run", (), [site.name for site in sites])
    mask = encoded.mask(at)
    for chunk in _chunks(encoded.lengths):
        rows = np.array(chunk)
        done = model.backend.forward(
            [encoded.ids[row] for row in chunk], capture=sites, logits="none"
        )
        index, place = np.nonzero(mask[rows])
        values = {site: found[index, place] for site, found in done.captured.items()}
        yield Part(rows[index], place, values)


def _chunks(lengths: Sequence[int]) -> list[list[int]]:
    """The prompts by length, as many together as have so many tokens, padding counted."""
    chunks: list[list[int]] = []
    for row in np.argsort(lengths, kind="stable").tolist():
        if chunks and (len(chunks[-1]) + 1) * lengths[row] <= TOKENS:
            chunks[-1].append(row)
        else:
            chunks.append([row])
    return chunks
