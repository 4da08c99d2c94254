"""Two measurements of the same items: shown to be the same, shown to differ, or neither.

The same means that the difference was shown to lie within a margin (two one-sided tests); that no
difference was found is not evidence that there is none. Differs means an exact McNemar test for
hits, or a paired bootstrap for numbers, with the false discovery rate of a run under control.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import numpy as np

Outcome = Literal["same", "changed", "inconclusive"]
LEVEL: Final = 0.05  # of each equivalence, and the false discovery rate of a run
MARGIN_OF_HITS: Final = 0.05  # five in a hundred items
MARGIN_OF_NUMBERS: Final = 0.1  # of the items' standard deviation: half of what is called small
RESAMPLES: Final = 10_000
AT_ONCE: Final = 2_000_000  # numbers drawn at a time
WHOLE: Final = 1 - 1e-9


@dataclass(frozen=True)
class Evidence:
    """What the same items say about a difference, after minus before.

    `p` is two-sided, of no difference; `p_apart` of a difference as large as the margin or larger.
    `low` and `high` hold the difference with 90 %. `reachable` is the smallest `p` that so many
    items that moved could have had, whichever way they went.
    """

    difference: float
    low: float
    high: float
    n: int
    moved: int
    margin: float
    p: float
    p_apart: float
    reachable: float = 0.0

    @property
    def is_same(self) -> bool:
        """Whether the difference was shown to be smaller than the margin."""
        return self.p_apart <= LEVEL


def weigh(
    before: "np.ndarray", after: "np.ndarray", *, margin: float | None = None, seed: int = 0
) -> Evidence:
    """The evidence of two measurements of the same items, [n], both hits or both numbers."""
    if before.dtype.kind == "b" and after.dtype.kind == "b":
        return _hits(before, after, MARGIN_OF_HITS if margin is None else margin)
    return _numbers(before.astype(float), after.astype(float), margin, seed)


def judge(found: Sequence[Evidence], *, level: float = LEVEL) -> list[Outcome]:
    """What each says, with the share of false ones among the `changed` held at `level`.

    Those that were shown to be the same count with p = 1, which can only make the rest stricter;
    those with too few moved items ever to reach the level are not counted.

    Source:  Benjamini and Hochberg 1995; for tests that cannot reach a level, Gilbert 2005.
    """
    asked = [place for place, one in enumerate(found) if one.reachable <= level]
    adjusted = _adjusted([1.0 if found[place].is_same else found[place].p for place in asked])
    rejected = {place for place, p in zip(asked, adjusted, strict=True) if p <= level}
    return [
        "same" if one.is_same else "changed" if place in rejected else "inconclusive"
        for place, one in enumerate(found)
    ]


def _adjusted(p: Sequence[float]) -> list[float]:
    if not p:
        return []
    from scipy.stats import false_discovery_control  # noqa: PLC0415  two seconds to import

    return [float(one) for one in false_discovery_control(p, method="bh")]


def _hits(before: "np.ndarray", after: "np.ndarray", margin: float) -> Evidence:
    """Exact McNemar for a difference, Tango's score test for equivalence and interval."""
    from scipy.stats import binomtest, norm  # noqa: PLC0415  two seconds to import

    n, gained = len(before), int((after & ~before).sum())
    lost = int((before & ~after).sum())
    moved = gained + lost
    p = float(binomtest(gained, moved).pvalue) if moved else 1.0
    score = _tango(gained, lost, n)
    p_apart = max(float(norm.sf(score(-margin))), float(norm.cdf(score(margin))))
    low, high = _where(score, float(norm.isf(LEVEL)), (gained - lost) / n)
    reachable = min(1.0, 2.0 ** (1 - moved))
    difference = (gained - lost) / n
    low, high = min(low, difference), max(high, difference)  # at the edge, where all items moved
    return Evidence(difference, low, high, n, moved, margin, p, p_apart, reachable)


def _tango(gained: int, lost: int, n: int) -> Callable[[float], float]:
    """The score statistic of a paired difference of shares, as a function of that difference.

    Source:  Tango 1998, Statistics in Medicine 17:891.
    """

    def score(difference: float) -> float:
        b = (2 * n - gained + lost) * difference - gained - lost
        c = -lost * difference * (1 - difference)
        share = ((b * b - 8 * n * c) ** 0.5 - b) / (4 * n)  # of items lost, if this is true
        variance = n * (2 * share + difference * (1 - difference))
        far = gained - lost - n * difference
        return far / variance**0.5 if variance > 0 else far * float("inf") if far else 0.0

    return score


def _where(score: Callable[[float], float], reach: float, centre: float) -> tuple[float, float]:
    """The differences whose score is no further than `reach` from zero."""
    from scipy.optimize import brentq  # noqa: PLC0415  loaded with scipy.stats

    ends = []
    for edge, sign in ((-WHOLE, 1.0), (WHOLE, -1.0)):

        def beyond(difference: float, sign: float = sign) -> float:
            return score(difference) - sign * reach

        if sign * centre <= -WHOLE or abs(score(edge)) <= reach:
            ends.append(edge)
        else:
            ends.append(float(brentq(beyond, edge, max(-WHOLE, min(WHOLE, centre)))))
    return ends[0], ends[1]


def _numbers(
    before: "np.ndarray", after: "np.ndarray", margin: float | None, seed: int
) -> Evidence:
    """The paired bootstrap of the mean difference, widened as few items demand.

    Source:  Hesterberg 2015, The American Statistician 69:371, the expanded percentile interval.
    """
    import numpy as np  # noqa: PLC0415  whoever made the items has loaded it
    from scipy.stats import norm, t  # noqa: PLC0415  two seconds to import

    if margin is None:
        margin = MARGIN_OF_NUMBERS * float(np.sqrt((before.var() + after.var()) / 2))
    difference = after - before
    n, moved = len(difference), int((difference != 0).sum())
    mean = float(difference.mean())
    if n == 1 or not moved:
        p_apart = 0.0 if not moved and margin > 0 else 1.0
        return Evidence(mean, mean, mean, n, moved, margin, 1.0, p_apart)
    means = np.sort(_resampled(difference, seed))
    widen = float(np.sqrt(n / (n - 1)))

    def tail(count: int) -> float:
        """The one-sided p-value of a point that so many means lie beyond."""
        return float(t.cdf(norm.ppf((count + 1) / (RESAMPLES + 2)) / widen, n - 1))

    def beyond(point: float) -> tuple[float, float]:
        below = int(np.searchsorted(means, point, side="right"))
        above = RESAMPLES - int(np.searchsorted(means, point, side="left"))
        return tail(below), tail(above)

    share = float(norm.cdf(widen * t.ppf(LEVEL, n - 1)))
    low, high = (float(end) for end in np.quantile(means, [share, 1 - share]))
    p_apart = max(beyond(-margin)[0], beyond(margin)[1])
    return Evidence(mean, low, high, n, moved, margin, min(1.0, 2 * min(beyond(0.0))), p_apart)


def _resampled(values: "np.ndarray", seed: int) -> "np.ndarray":
    """The means of resamples, drawn a few at a time."""
    import numpy as np  # noqa: PLC0415  whoever made the items has loaded it

    draws = np.random.default_rng(seed)
    rows = max(1, AT_ONCE // len(values))
    return np.concatenate(
        [
            values[
                draws.integers(len(values), size=(min(rows, RESAMPLES - done), len(values)))
            ].mean(axis=1)
            for done in range(0, RESAMPLES, rows)
        ]
    )
