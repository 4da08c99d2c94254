"""Sites of many prompts, a few prompts at a time: memory does not grow with how many there are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from interp.encoded import Encoded
from interp.ledger import report
from interp.models import Model
from interp.positions import Position
from interp.sites import Site

TOKENS = 512  # of prompts that are run together, padding counted
CALL = 32  # a call costs on a CPU what so many tokens cost; elsewhere as much as a full one


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
    for chunk in chunks(np.array(encoded.lengths), _call(model)):
        done = model.backend.forward(
            [encoded.ids[row] for row in chunk], capture=sites, logits="none"
        )
        index, place = np.nonzero(mask[chunk])
        values = {site: found[index, place] for site, found in done.captured.items()}
        yield Part(chunk[index], place, values)


def differences(
    model: Model,
    pairs: tuple[Encoded, Encoded],
    sites: Sequence[Site],
    at: str | Position,
) -> Iterator[Mapping[Site, Float[np.ndarray, "pair d_model"]]]:
    """First minus second of each pair of prompts at one token of each, a few pairs at a time."""
    report("run", (), [site.name for site in sites])
    ids, places = [one.ids for one in pairs], [one.indices(at) for one in pairs]
    longer = np.maximum(*(np.array(one.lengths) for one in pairs))
    for chunk in chunks(2 * longer, _call(model)):
        rows = [ids[side][pair] for side in (0, 1) for pair in chunk]
        done = model.backend.forward(rows, capture=sites, logits="none")
        first, second = np.split(np.arange(len(rows)), 2)
        yield {
            site: found[first, places[0][chunk]] - found[second, places[1][chunk]]
            for site, found in done.captured.items()
        }


def chunks(lengths: Int[np.ndarray, " prompt"], call: int) -> list[Int[np.ndarray, " _"]]:
    """The prompts by length, in the chunks that take least: padding, and the price of each call.

    Args:
        lengths: the tokens of each prompt; a chunk has `TOKENS` at most, or one prompt.
        call: how many tokens a call costs by itself.
    """
    order = np.argsort(lengths, kind="stable")
    least, start = np.zeros(len(order) + 1), np.zeros(len(order) + 1, dtype=np.int64)
    for stop in range(1, len(order) + 1):
        longest = int(lengths[order[stop - 1]])
        first = max(stop - max(TOKENS // longest, 1), 0)
        took = least[first:stop] + longest * np.arange(stop - first, 0, -1) + call
        start[stop] = first + int(took.argmin())
        least[stop] = took.min()
    cuts = [len(order)]
    while cuts[-1]:
        cuts.append(int(start[cuts[-1]]))
    return [order[low:high] for high, low in pairwise(cuts)][::-1]


def _call(model: Model) -> int:
    return CALL if model.backend.info.device == "cpu" else TOKENS
