"""Every depth of the residual stream, a few tokens at a time: what it says of the next token.

Depth 0 is the embedding, depth i the stream after block i - 1, the last one what the model itself
reads out. A map of the stream may come before the final norm; the logit lens has none.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float, Shaped

from interp.encoded import Encoded
from interp.errors import RequestError
from interp.ledger import report
from interp.metrics import kl_divergence
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet, as_prompt_set
from interp.readers import Reads, in_blocks, some_rows, unembedded
from interp.sites import PER_HEAD, Site, embed, resid_post
from interp.streaming import Part, streamed

States = Float[np.ndarray, "n d_model"]
Through = Callable[[int, States], States]
Says = Callable[[Part], Iterator[np.ndarray]]
NOT_STREAM = frozenset({"final_norm", "logits", "thought"})


def untranslated(_depth: int, hidden: States) -> States:
    """The states as they are: the logit lens."""
    return hidden


def depths(model: Model) -> list[Site]:
    """The residual stream from the embedding to the last block: n_layers + 1 sites."""
    return [embed(), *(resid_post(layer) for layer in range(model.n_layers))]


def depth_names(n: int) -> tuple[str, ...]:
    """What the first so many depths are called on an axis."""
    return ("embed", *map(str, range(n - 1)))


def read_depths(
    model: Model,
    prompts: PromptSet | Sequence[str],
    *,
    read: Reads,
    at: str | Position = "all",
    through: Through = untranslated,
) -> Shaped[np.ndarray, "token depth ..."]:
    """What a reader says of every depth of the stream, at every token that a position names.

    The tokens of the first prompt come first, each prompt's in order. The logits of a few tokens
    are held at a time, whatever the vocabulary.

    Args:
        model: whose final norm and head read the stream.
        prompts: which prompts.
        read: a number, or several, of each token's logits.
        at: the tokens.
        through: what a depth's states go through before the final norm.
    """
    encoded = model.encode(as_prompt_set(prompts))
    sites = depths(model)

    def says(part: Part) -> Iterator[np.ndarray]:
        for depth, site in enumerate(sites):
            hidden = through(depth, part.values[site])
            yield in_blocks(model, encoded, part.row, hidden, read)

    return _by_token(model, encoded, sites, at, says)


def read_sites(
    model: Model,
    prompts: PromptSet | Sequence[str],
    sites: Sequence[Site],
    *,
    read: Reads,
    at: str | Position = "all",
) -> Shaped[np.ndarray, "token site ..."]:
    """What a reader says of sites as wide as the stream, each as if it were the last of it.

    Tokens are in the order of `read_depths`, and as few logits are held at a time.

    Raises:
        RequestError: no site, or one of another shape than the stream's.
    """
    odd = [site for site in sites if site.name in PER_HEAD or site.name in NOT_STREAM]
    if odd or not sites:
        raise RequestError(
            "what is unembedded is as wide as the stream, before the final norm",
            asked=f"read_sites({model.id}, ...)",
            received=", ".join(map(str, odd)) or "no site",
            hint="resid_post(layer), attn_out(layer) or mlp_out(layer)",
        )
    encoded = model.encode(as_prompt_set(prompts))

    def says(part: Part) -> Iterator[np.ndarray]:
        for site in sites:
            yield in_blocks(model, encoded, part.row, part.values[site], read)

    return _by_token(model, encoded, sites, at, says)


def divergences(
    model: Model,
    prompts: PromptSet | Sequence[str],
    *,
    at: str | Position = "last",
    through: Through = untranslated,
) -> Float[np.ndarray, "token depth"]:
    """How far each depth is from the model's own output: KL(output || depth), in nats.

    Tokens are in the order of `read_depths`; the last depth is 0 for as long as nothing moves it.
    """
    encoded = model.encode(as_prompt_set(prompts))
    sites = depths(model)

    def says(part: Part) -> Iterator[np.ndarray]:
        for depth, site in enumerate(sites):
            hidden = through(depth, part.values[site])
            yield _apart(model, part.values[sites[-1]], hidden)

    return _by_token(model, encoded, sites, at, says)


def _apart(model: Model, final: States, hidden: States) -> Float[np.ndarray, " n"]:
    """The divergence of the second states' output from the first's, a few rows at a time."""
    return np.concatenate(
        [
            kl_divergence(unembedded(model, final[low:high]), unembedded(model, hidden[low:high]))
            for low, high in some_rows(model, len(hidden))
        ]
    )


def _by_token(
    model: Model, encoded: Encoded, sites: Sequence[Site], at: str | Position, says: Says
) -> np.ndarray:
    """What is said of each site of each part of the prompts, put in the order of the tokens."""
    mask = encoded.mask(at)
    number = np.cumsum(mask).reshape(mask.shape) - 1
    report("unembed", ())
    said: np.ndarray | None = None
    for part in streamed(model, encoded, sites, at):
        for place, found in enumerate(says(part)):
            if said is None:
                said = np.zeros((int(mask.sum()), len(sites), *found.shape[1:]), found.dtype)
            said[number[part.row, part.at], place] = found
    return np.asarray(said)
