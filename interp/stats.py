"""Numbers with their uncertainty: estimates, exact tests, ranks in a null.

scipy does the arithmetic and is loaded when first needed: it takes two seconds to import.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from interp.errors import InconclusiveError, NonFiniteError, RequestError

LEVEL = 0.95
RESAMPLES = 10_000
MOST_ORDERED = 9  # things of which all orders are tried
Tail = Literal["greater", "less"]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval, how many items it rests on, and those items."""

    mean: float
    low: float
    high: float
    n: int
    items: np.ndarray | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a number that is none.

        Raises:
            NonFiniteError: mean, low or high is NaN or infinite.
        """
        if not np.isfinite([self.mean, self.low, self.high]).all():
            raise NonFiniteError("an estimate must be finite", received=repr(self))

    def needs(self, at_least: int) -> "Estimate":
        """The estimate itself, if it rests on enough items to carry a verdict.

        Raises:
            InconclusiveError: fewer than `at_least` items.
        """
        if self.n < at_least:
            raise InconclusiveError(
                "too few items for a verdict", expected=f"at least {at_least}", received=self.n
            )
        return self


@dataclass(frozen=True)
class ExactTest:
    """An exact test: its p-value, the effect it is about, and the number of items."""

    p: float
    effect: float
    n: int


def proportion(hits: Bool[np.ndarray, "..."]) -> Estimate:
    """The share of hits, [n], with Wilson's score interval.

    Raises:
        RequestError: there are no items.
    """
    from scipy.stats import binomtest  # noqa: PLC0415  two seconds to import

    items = _items(hits)
    result = binomtest(int(items.sum()), len(items))
    interval = result.proportion_ci(LEVEL, method="wilson")
    share = float(items.mean())
    return Estimate(
        share, min(float(interval.low), share), max(float(interval.high), share), len(items), items
    )


def average(values: Shaped[np.ndarray, "..."], *, seed: int = 0) -> Estimate:
    """The mean of the items, [n], with a percentile bootstrap interval over items."""
    items = _items(values).astype(np.float64)
    draws = np.random.default_rng(seed).integers(len(items), size=(RESAMPLES, len(items)))
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(items[draws].mean(axis=1), tails)
    return Estimate(float(items.mean()), float(low), float(high), len(items), items)


def clustered(
    values: Shaped[np.ndarray, "..."], clusters: Sequence[str], *, seed: int = 0
) -> Estimate:
    """The mean of the items, [n], with a percentile bootstrap interval over clusters of them.

    Items of one cluster (a bridge, a template) come and go together; `n` counts items.

    Raises:
        RequestError: there are no items, or a cluster is not named for each.
    """
    items = _items(values).astype(np.float64)
    if len(clusters) != len(items):
        raise RequestError("each item has its cluster", expected=len(items), received=len(clusters))
    _, place = np.unique(np.array(clusters), return_inverse=True)
    sums, sizes = np.bincount(place, items), np.bincount(place)
    draws = np.random.default_rng(seed).integers(len(sizes), size=(RESAMPLES, len(sizes)))
    means = sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    mean = float(items.mean())
    return Estimate(mean, min(float(low), mean), max(float(high), mean), len(items), items)


def paired_difference(
    a: Shaped[np.ndarray, " n"], b: Shaped[np.ndarray, " m"], *, seed: int = 0
) -> Estimate:
    """The mean of a - b over the same items, with a bootstrap interval over items."""
    return average(_paired(a, b), seed=seed)


def mcnemar(
    a: Bool[np.ndarray, " n"], b: Bool[np.ndarray, " m"], *, tail: Tail = "greater"
) -> ExactTest:
    """Exact one-sided McNemar test that a hits more often than b on the same items.

    It is the sign test on the discordant items; without any, p is 1.

    Source:  McNemar 1947, exact form.
    """
    difference = _paired(a, b)
    return _sign_test(difference, tail)


def sign_test(values: Shaped[np.ndarray, " n"], *, tail: Tail = "greater") -> ExactTest:
    """Exact one-sided sign test that values tend to be above (or below) zero; ties are left out."""
    return _sign_test(_items(values).astype(np.float64), tail)


def rank_in_null(
    value: float, null: Shaped[np.ndarray, " n"], *, tail: Tail = "greater"
) -> ExactTest:
    """The p-value of `value` by its rank among the null: (1 + as extreme) / (1 + n).

    With n draws p cannot fall below 1 / (n + 1), so a null of 5 says nothing below 0.167.
    """
    draws = _items(null).astype(np.float64)
    extreme = draws >= value if tail == "greater" else draws <= value
    p = (1 + int(extreme.sum())) / (1 + len(draws))
    return ExactTest(p, float(value - np.median(draws)), len(draws))


def trend(values: Shaped[np.ndarray, "n depth"]) -> Float[np.ndarray, " n"]:
    """Kendall's tau-b of each row against depth: -1 falls all the way, 1 rises all the way."""
    from scipy.stats import kendalltau  # noqa: PLC0415  two seconds to import

    depth = np.arange(values.shape[1])
    taus = [kendalltau(row, depth).statistic if np.ptp(row) else 0.0 for row in values]
    return np.array(taus, dtype=np.float64)


@dataclass(frozen=True)
class RankTrend(ExactTest):
    """Kendall's tau-b as the effect; `least` is the smallest p that these n can give."""

    least: float


def kendall(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " m"]) -> RankTrend:
    """Whether y rises or falls with x: Kendall's tau-b with its two-sided permutation p.

    All orders of y up to 9 pairs, so that p is exact; beyond, as many drawn ones, the own counted.

    Raises:
        RequestError: unequal numbers of items, or fewer than two.
    """
    first, second = _items(x).astype(np.float64), _items(y).astype(np.float64)
    n = len(first)
    if n != len(second) or n < 2:  # noqa: PLR2004  a pair of pairs
        raise RequestError("a trend is of pairs", expected=f"{n}, 2 or more", received=len(second))
    i, j = np.triu_indices(n, 1)
    rises = np.sign(first[j] - first[i])
    shuffled = second[_orders(n)]
    concordant = np.sign(shuffled[:, j] - shuffled[:, i]) @ rises
    untied = np.count_nonzero(rises) * np.count_nonzero(second[j] != second[i])
    own, most = abs(concordant[0]), np.abs(concordant).max()
    tau = float(concordant[0] / np.sqrt(untied)) if untied else 0.0
    p, least = (float((np.abs(concordant) >= bound).mean()) for bound in (own, most))
    return RankTrend(p, tau, n, least)


def _orders(n: int) -> Int[np.ndarray, "order n"]:
    """All orders of n things, or of many things a drawn part; the first is their own."""
    if n <= MOST_ORDERED:
        return np.array(list(permutations(range(n))))
    random = np.random.default_rng(0)
    drawn = random.permuted(np.tile(np.arange(n), (10 * RESAMPLES, 1)), axis=1)
    return np.concatenate([np.arange(n)[None], drawn])


def holm(p_values: Sequence[float]) -> Float[np.ndarray, " n"]:
    """Holm's step-down adjusted p-values, in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    return np.minimum(adjusted, 1.0)[np.argsort(order)]


def halves(
    groups: Sequence[str], *, seed: int
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Two disjoint halves of the items that keep each group whole: to choose on, and to test on."""
    names = np.array(sorted(set(groups)))
    first = set(np.random.default_rng(seed).permutation(names)[: len(names) // 2].tolist())
    chosen = np.array([group in first for group in groups], dtype=bool)
    return chosen, ~chosen


def evenly(n: int, most: int) -> Bool[np.ndarray, " n"]:
    """Which of n items to take, so that they are `most` at most and evenly spread."""
    return np.isin(np.arange(n), np.linspace(0, n - 1, min(most, n)).astype(int))


def _sign_test(difference: Float[np.ndarray, " n"], tail: Tail) -> ExactTest:
    from scipy.stats import binomtest  # noqa: PLC0415  two seconds to import

    up, down = int((difference > 0).sum()), int((difference < 0).sum())
    p = float(binomtest(up, up + down, alternative=tail).pvalue) if up + down else 1.0
    return ExactTest(p, float(difference.mean()), len(difference))


def _items(values: Shaped[np.ndarray, "..."]) -> np.ndarray:
    items = np.asarray(values)
    if items.ndim != 1 or not len(items):
        raise RequestError(
            "statistics need a list of items", expected="shape [n], n >= 1", received=items.shape
        )
    if not np.isfinite(items.astype(np.float64)).all():
        raise NonFiniteError("an item is NaN or infinite", where=f"{len(items)} items")
    return items


def _paired(a: Shaped[np.ndarray, " n"], b: Shaped[np.ndarray, " m"]) -> Float[np.ndarray, " n"]:
    first, second = _items(a).astype(np.float64), _items(b).astype(np.float64)
    if len(first) != len(second):
        raise RequestError(
            "paired items must be the same items", expected=len(first), received=len(second)
        )
    return first - second
