"""The principal component of the differences of paired prompts, to compare a mean with."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from interp.directions import Direction, refuse_shared
from interp.errors import RequestError
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet
from interp.sites import Site
from interp.streaming import differences


@dataclass(frozen=True)
class Principal:
    """The first principal component at a site, and its share of what the differences vary.

    The share is of the variance where the mean was taken off, else of the mean square.
    """

    direction: Direction
    share: float


@dataclass
class Moments:
    """The sum and the sum of products of vectors that come a few at a time, in float64."""

    d_model: int
    count: int = 0
    total: Float[np.ndarray, " d_model"] = field(init=False)
    products: Float[np.ndarray, "d_model d_model"] = field(init=False)

    def __post_init__(self) -> None:
        """Nothing was seen yet."""
        self.total = np.zeros(self.d_model)
        self.products = np.zeros((self.d_model, self.d_model))

    def add(self, values: Float[np.ndarray, "n d_model"]) -> None:
        """Some more vectors."""
        wide = values.astype(np.float64)
        self.count += len(wide)
        self.total += wide.sum(axis=0)
        self.products += wide.T @ wide

    @property
    def mean(self) -> Float[np.ndarray, " d_model"]:
        """The mean of all."""
        return np.asarray(self.total / self.count)

    def second(self, *, centred: bool) -> Float[np.ndarray, "d_model d_model"]:
        """The mean product of two coordinates, or their covariance (of n, not n - 1)."""
        square = self.products / self.count
        return np.asarray(square - np.outer(self.mean, self.mean) if centred else square)


def principal_differences(
    model: Model,
    positive: PromptSet,
    negative: PromptSet,
    *,
    sites: Sequence[Site],
    at: str | Position = "last",
    centred: bool = False,
) -> dict[Site, Principal]:
    """The first principal component of positive minus negative, pair by pair, at many sites.

    Prompt i of one set belongs to prompt i of the other. One pass over the prompts, of which
    nothing is kept but [d_model, d_model] float64 a site, however many there are. A component has
    no sign of its own: it is given the one with which it points to the positive kind, along the
    mean difference. Its norm is the root mean square of the differences along it.

    Args:
        model: a loaded model.
        positive: one kind of prompt.
        negative: the other kind, pair by pair.
        sites: where to look, all of width d_model.
        at: one token of each prompt.
        centred: take the mean difference off first. The component then says how pairs differ
            from each other, and may have nothing to do with how the two kinds differ.

    Raises:
        RequestError: sets of two sizes or with a text in both; differences that do not vary.

    Source:  Zou et al. 2023, "Representation Engineering", arXiv:2310.01405, linear artificial
             tomography: the first principal component of differences.
    Differs: differences are positive minus negative throughout, and nothing is taken off them
             unless asked; a random sign for each pair would take their mean off on average.
    """
    if len(positive) != len(negative):
        raise RequestError(
            "pairs need two sets of one size",
            asked="principal_differences(...)",
            received=f"{len(positive)} and {len(negative)} prompts",
        )
    refuse_shared(positive, negative)
    moments = {site: Moments(model.d_model) for site in sites}
    pairs = model.encode(positive), model.encode(negative)
    for part in differences(model, pairs, sites, at):
        for site in sites:
            moments[site].add(part[site])
    return {site: _first(model, site, moments[site], centred=centred) for site in sites}


def _first(model: Model, site: Site, moments: Moments, *, centred: bool) -> Principal:
    from scipy.sparse.linalg import eigsh  # noqa: PLC0415  half a second to import

    second = moments.second(centred=centred)
    varies = float(np.trace(second))
    if not varies > np.finfo(np.float32).eps * float(np.trace(moments.second(centred=False))):
        raise RequestError("the differences do not vary", where=str(site), hint="more pairs")
    start = np.random.default_rng(0).normal(size=len(second))
    (value,), vectors = eigsh(second, k=1, which="LA", v0=start)
    vector = vectors[:, 0] * np.sqrt(value)
    signed = vector if vector @ moments.mean >= 0 else -vector
    found = "centred principal" if centred else "principal"
    direction = Direction(signed.astype(np.float32), site, model.fingerprint, found)
    return Principal(direction, float(value / varies))
