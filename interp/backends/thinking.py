"""What an engine may offer beyond the protocol: thoughts that are vectors, fed back as they are.

An engine that thinks says so by `info.thoughts`; one that does not needs nothing of this.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Float

from interp.backends.available import refuse_unavailable
from interp.backends.protocol import Backend, Fired, ModelInfo, Write
from interp.backends.taps import merged
from interp.errors import RequestError
from interp.sites import Site

FED = Site("thought")
# What the last block does after its keys and values are made goes nowhere but into the final norm.
AFTER_KEYS = frozenset({"q", "pattern", "z", "attn_out", "resid_mid", "mlp_out", "resid_post"})
UNEVEN = frozenset({"pattern", "head_out", "logits", "embed"})


@dataclass(frozen=True, eq=False)
class Thought:
    """What thinking gives: the thoughts' captures, the answer, and one Fired a write.

    Captures are [batch, 1 + n_thoughts, ...]: at the token that begins the thoughts, then at each
    thought. `logits` are [batch, d_vocab], of the token after what was said for the model.
    `passes` counts the tokens of the answer that were fed, the one that ends the thoughts included.
    `layer_tokens` is what it took: layers times tokens.
    """

    new_ids: tuple[tuple[int, ...], ...]
    passes: tuple[int, ...]
    logits: Float[np.ndarray, "batch d_vocab"]
    captured: Mapping[Site, Float[np.ndarray, "batch step ..."]]
    fired: tuple[Fired, ...]
    layer_tokens: int


@dataclass(frozen=True)
class ThinkRequest:
    """How to think: how many thoughts, what to keep of them, and how the answer goes on.

    `said` is put in the model's mouth after the thoughts; decoding goes on from there.
    """

    n_thoughts: int
    capture: tuple[Site, ...] = ()
    said: tuple[int, ...] = ()
    max_new_tokens: int = 0


class Thinks(Backend, Protocol):
    """A backend whose checkpoint thinks in vectors."""

    @classmethod
    def load_on(
        cls,
        base: Path,
        folder: Path,
        *,
        dtype: str,
        device: str | None,
        attn_implementation: str | None,
    ) -> Self:
        """Load a folder of weights alone on the configuration and tokenizer of its base."""
        ...

    def think(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write], request: ThinkRequest
    ) -> Thought:
        """Encode each row and the beginning token, feed the thoughts, end them, answer greedily."""
        ...

    def word_vectors(self, ids: Sequence[int]) -> Float[np.ndarray, "word d_model"]:
        """The embeddings of these tokens, before any position is added."""
        ...

    def rethink(
        self, ids: Sequence[int], request: ThinkRequest
    ) -> tuple[Float[np.ndarray, "step d_model"], Float[np.ndarray, " d_vocab"]]:
        """Final states and logits of one row with nothing cached, hooked or batched."""
        ...


@runtime_checkable
class ThinksOften(Protocol):
    """What a backend that thinks may offer: many variants at once, the question read once."""

    @property
    def thinks_apart(self) -> str:
        """Why variants must be thought one by one on this model; empty where nothing is known."""
        ...

    def think_each(
        self,
        ids: Sequence[Sequence[int]],
        variants: Sequence[Sequence[Write]],
        request: ThinkRequest,
    ) -> Iterator[Thought]:
        """One Thought a variant, in order, without captures; all writes are at thoughts."""
        ...


def joined(parts: Sequence[Thought], groups: Sequence[Sequence[int]]) -> Thought:
    """The thoughts of parts of a batch as one; `groups` are the numbers of each part's rows."""
    places = np.argsort([row for rows in groups for row in rows]).tolist()
    new_ids = [ids for part in parts for ids in part.new_ids]
    passes = [count for part in parts for count in part.passes]
    return Thought(
        tuple(new_ids[place] for place in places),
        tuple(passes[place] for place in places),
        np.concatenate([part.logits for part in parts])[places],
        {
            site: np.concatenate([part.captured[site] for part in parts])[places]
            for site in parts[0].captured
        },
        tuple(map(merged, zip(*(part.fired for part in parts), strict=True))),
        sum(part.layer_tokens for part in parts),
    )


def is_dead(info: ModelInfo, site: Site, *, last: bool) -> bool:
    """Whether nothing reads this site at the step in question: edited, it changes no answer."""
    if not last:
        return False
    return site.name == "final_norm" or (
        site.layer == info.n_layers - 1 and site.name in AFTER_KEYS
    )


def refuse_no_thought(info: ModelInfo, site: Site) -> None:
    """Nothing, if this site exists at a thought.

    Raises:
        RequestError: it is of another shape at each step, or the model does not have it.
    """
    if site.name in UNEVEN:
        raise RequestError(
            "this site is not kept at thoughts", asked=str(site), hint="resid_pre(0), z(layer)"
        )
    if site != FED:
        refuse_unavailable(info, site)
