"""Directions in the residual stream, and the directions they must be compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from interp.charts import Curves, Line, Plot, floats
from interp.errors import NonFiniteError, RequestError
from interp.models import Model
from interp.positions import Position
from interp.prompts import PromptSet
from interp.runs import run
from interp.sites import Site
from interp.streaming import streamed


@dataclass(frozen=True, eq=False, repr=False)
class Direction:
    """A vector found at a site of one model, at the norm it was found with."""

    vector: Float[np.ndarray, " d_model"]
    site: Site
    fingerprint: str
    found: str

    def __post_init__(self) -> None:
        """Refuse a vector that points nowhere.

        Raises:
            NonFiniteError: an entry is NaN or infinite.
            RequestError: all entries are zero.
        """
        if not np.isfinite(self.vector).all():
            raise NonFiniteError("a direction must be finite", where=str(self.site))
        if not self.vector.any():
            raise RequestError("a direction of length zero points nowhere", where=str(self.site))

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<{self.found} direction at {self.site}, norm {self.norm:.3g}>"

    @property
    def norm(self) -> float:
        """The Euclidean norm."""
        return float(np.linalg.norm(self.vector.astype(np.float64)))

    @property
    def unit(self) -> Float[np.ndarray, " d_model"]:
        """The vector at norm one."""
        return np.asarray(self.vector / self.norm, np.float32)

    def cosine(self, other: "Direction") -> float:
        """The cosine with another direction: 1 is the same, 0 is orthogonal."""
        return float(self.unit.astype(np.float64) @ other.unit)

    def random(self, n: int, *, seed: int) -> tuple["Direction", ...]:
        """`n` isotropic random directions of the same norm: what any push of that size does."""
        draws = np.random.default_rng(seed).normal(size=(n, len(self.vector)))
        return tuple(self.like(draw, "random") for draw in draws)

    def like(self, vector: Float[np.ndarray, " d_model"], found: str) -> "Direction":
        """Another vector at this one's site, scaled to this one's norm."""
        scaled = vector * (self.norm / np.linalg.norm(vector))
        return replace(self, vector=scaled.astype(np.float32), found=found)


@dataclass(frozen=True, eq=False, repr=False)
class Contrast:
    """The values of two kinds of prompts at one site and position: float32 [n, d_model] each."""

    positive: Float[np.ndarray, "n d_model"]
    negative: Float[np.ndarray, "m d_model"]
    site: Site
    fingerprint: str

    @property
    def direction(self) -> Direction:
        """The mean of the positive minus the mean of the negative, summed in float64."""
        vector = _mean(self.positive) - _mean(self.negative)
        return Direction(vector.astype(np.float32), self.site, self.fingerprint, "mean-difference")

    @property
    def median_norm(self) -> float:
        """How long the values are, in the median: the unit of a relative dose."""
        values = np.concatenate([self.positive, self.negative]).astype(np.float64)
        return float(np.median(np.linalg.norm(values, axis=1)))

    def shuffled(self, n: int, *, seed: int) -> tuple[Direction, ...]:
        """`n` mean differences of the same prompts with shuffled labels, at the direction's norm.

        Where the two kinds lie far apart, every shuffle keeps a share of the contrast, with either
        sign; scaled to the full norm it is then nearly the direction itself or its opposite.
        """
        vectors = self._shuffles(n, seed)
        return tuple(self.direction.like(vector, "label-shuffled") for vector in vectors)

    def shuffled_norms(self, n: int, *, seed: int) -> Float[np.ndarray, " n"]:
        """The norms that mean differences of shuffled labels have by chance."""
        return np.asarray(np.linalg.norm(self._shuffles(n, seed), axis=1))

    def _shuffles(self, n: int, seed: int) -> Float[np.ndarray, "n d_model"]:
        pool = np.concatenate([self.positive, self.negative])
        rng, cut = np.random.default_rng(seed), len(self.positive)
        orders = [rng.permutation(len(pool)) for _ in range(n)]
        return np.stack([_mean(pool[order[:cut]]) - _mean(pool[order[cut:]]) for order in orders])

    def within(self, n: int, *, seed: int) -> tuple[Direction, ...]:
        """`n` random directions with the covariance of the data inside each kind, at its norm.

        The null for "any push along what these prompts vary in": unlike a label-shuffled direction
        it does not hold a share of the contrast itself.
        """
        parts = [part - _mean(part) for part in (self.positive, self.negative)]
        residuals = np.concatenate(parts)
        weights = np.random.default_rng(seed).normal(size=(n, len(residuals)))
        return tuple(self.direction.like(w @ residuals, "within-kind") for w in weights)

    def agreement(self, *, seed: int) -> float:
        """The cosine of the directions of two disjoint halves: near 1 where the data suffice."""
        rng = np.random.default_rng(seed)
        ours, theirs = rng.permutation(len(self.positive)), rng.permutation(len(self.negative))
        parts = [
            replace(self, positive=self.positive[ours[i::2]], negative=self.negative[theirs[i::2]])
            for i in (0, 1)
        ]
        return parts[0].direction.cosine(parts[1].direction)


def by_layer(contrasts: Sequence[Contrast], *, n: int = 100, seed: int = 0) -> Curves:
    """How long the directions of a contrast are, layer by layer, and how well they agree.

    The band holds the norms that `n` shuffles of the labels give by chance, from the 5th to the
    95th percentile. Halves that do not agree mean too few prompts; a cosine with the next layer
    near 1 means one direction that is carried along.
    """
    each = [one.direction for one in contrasts]
    chance = np.stack([one.shuffled_norms(n, seed=seed) for one in contrasts], axis=1)
    low, middle, high = map(floats, np.quantile(chance, (0.05, 0.5, 0.95), axis=0))
    x = floats(range(len(each)))
    after = [one.cosine(other) for one, other in pairwise(each)]
    halves = [one.agreement(seed=seed) for one in contrasts]
    norms = (
        Line("shuffled labels", x, middle, low, high, "control"),
        Line("mean difference", x, floats(one.norm for one in each)),
    )
    cosines = [Line("between two halves", x, floats(halves))]
    if after:
        cosines.append(Line("with the next layer", x[:-1], floats(after)))
    one_kind = len({one.site.name for one in contrasts}) == 1
    sizes = f"n = {len(contrasts[0].positive)} and {len(contrasts[0].negative)} prompts"
    return Curves(
        "A contrast by layer: norm and cosines of its direction",
        f"{sizes}. Band: 5 to 95 % of {n} shuffles.",
        f"layer of {each[0].site.name}" if one_kind else "site",
        (Plot("norm", norms), Plot("cosine", tuple(cosines))),
        tuple(str(one.site.layer if one_kind else one.site) for one in each),
    )


def random_direction(model: Model, site: Site, *, seed: int) -> Direction:
    """A random direction of norm one at a site of the residual stream."""
    draw = np.random.default_rng(seed).normal(size=model.d_model)
    vector = (draw / np.linalg.norm(draw)).astype(np.float32)
    return Direction(vector, site, model.fingerprint, "random")


def contrast(
    model: Model,
    positive: PromptSet,
    negative: PromptSet,
    *,
    site: Site,
    at: str | Position = "last",
) -> Contrast:
    """What two kinds of prompts leave at a site, one value a prompt.

    Source:  difference of means as in Arditi et al. 2024, arXiv:2406.11717.

    Raises:
        RequestError: a text is in both sets, or the position is not one token a row.
    """
    return contrasts(model, positive, negative, sites=[site], at=at)[0]


def contrasts(
    model: Model,
    positive: PromptSet,
    negative: PromptSet,
    *,
    sites: Sequence[Site],
    at: str | Position = "last",
) -> tuple[Contrast, ...]:
    """What two kinds of prompts leave at each of many sites, in one pass over the prompts.

    Raises:
        RequestError: a text is in both sets, or the position is not one token a row.
    """
    refuse_shared(positive, negative)
    ours, theirs = (run(model, prompts, capture=sites) for prompts in (positive, negative))
    found = model.fingerprint
    return tuple(Contrast(ours[site, at], theirs[site, at], site, found) for site in sites)


def _mean(values: Float[np.ndarray, "n d_model"]) -> Float[np.ndarray, " d_model"]:
    return np.asarray(values.mean(axis=0, dtype=np.float64))


def mean_differences(
    model: Model,
    positive: PromptSet,
    negative: PromptSet,
    *,
    sites: Sequence[Site],
    at: str | Position = "last",
) -> dict[Site, Direction]:
    """The mean-difference direction at each of many sites, in one pass over the prompts.

    Sums are kept in float64 and no prompt's values are, so that memory does not grow with them.

    Raises:
        RequestError: a text is in both sets.
    """
    refuse_shared(positive, negative)
    ours, theirs = (_means(model, prompts, sites, at) for prompts in (positive, negative))
    return {
        site: Direction(
            (ours[site] - theirs[site]).astype(np.float32),
            site,
            model.fingerprint,
            "mean-difference",
        )
        for site in sites
    }


def _means(
    model: Model, prompts: PromptSet, sites: Sequence[Site], at: str | Position
) -> dict[Site, Float[np.ndarray, " d_model"]]:
    sums = {site: np.zeros(model.d_model) for site in sites}
    count = 0
    for part in streamed(model, model.encode(prompts), sites, at):
        count += len(part.row)
        for site in sites:
            sums[site] += part.values[site].sum(axis=0, dtype=np.float64)
    return {site: total / count for site, total in sums.items()}


def refuse_shared(positive: PromptSet, negative: PromptSet) -> None:
    """Nothing, if no text is in both sets.

    Raises:
        RequestError: one is.
    """
    shared = {p.content for p in positive.prompts} & {p.content for p in negative.prompts}
    if shared:
        raise RequestError("the two sets of a contrast must be disjoint", received=min(shared))
