"""Bugs of the verdict: wrong interval, wrong tail, wrong null, tries that are not counted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, replaced
from interp.stats import Estimate, ExactTest

COOKBOOK = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27"
STEERING = "GPT-2 Activation Steering Experiment, 2025-10-21"
OTHER = {"greater": "less", "less": "greater"}


def wald(_right: Any) -> Any:
    """The interval of a proportion that has no width at 0 of n."""

    def proportion(hits: Any) -> Estimate:
        share, n = float(np.mean(hits)), len(hits)
        half = 1.96 * (share * (1 - share) / n) ** 0.5
        return Estimate(share, share - half, share + half, n, np.asarray(hits))

    return proportion


def unpaired(_right: Any) -> Any:
    """Compare two proportions as if the items were not the same."""

    def mcnemar(a: Any, b: Any, *, tail: Any = "greater") -> ExactTest:
        from scipy.stats import fisher_exact  # noqa: PLC0415  two seconds to import

        table = [[int(np.sum(a)), int(np.sum(~a))], [int(np.sum(b)), int(np.sum(~b))]]
        p = float(fisher_exact(table, alternative=tail).pvalue)
        return ExactTest(p, float(np.mean(a) - np.mean(b)), len(a))

    return mcnemar


def without_one(right: Any) -> Any:
    """Count only the null's draws: p can be 0."""

    def rank_in_null(value: Any, null: Any, **how: Any) -> ExactTest:
        exact: ExactTest = right(value, null, **how)
        return replace(exact, p=(exact.p * (1 + exact.n) - 1) / exact.n)

    return rank_in_null


def one_sided(_right: Any) -> Any:
    """An interval of 90 % that calls itself one of 95 %: both tails are 5 %."""

    def average(values: Any, *, seed: int = 0) -> Estimate:
        items = np.asarray(values, dtype=np.float64)
        draws = np.random.default_rng(seed).integers(len(items), size=(2000, len(items)))
        low, high = np.quantile(items[draws].mean(axis=1), [0.05, 0.95])
        return Estimate(float(items.mean()), float(low), float(high), len(items), items)

    return average


def bonferroni(_right: Any) -> Any:
    """Every p-value times their number, without stepping down."""
    return lambda p_values: np.minimum(np.asarray(p_values) * len(p_values), 1.0)


def overlapping(right: Any) -> Any:
    """Choose on half of the items, and test on all."""

    def halves(groups: Any, *, seed: int) -> Any:
        chosen, _ = right(groups, seed=seed)
        return chosen, np.ones_like(chosen)

    return halves


def torn(_right: Any) -> Any:
    """Halves of the items, whatever group they are in."""

    def halves(groups: Sequence[str], *, seed: int) -> Any:
        chosen = np.random.default_rng(seed).permutation(len(groups)) < len(groups) // 2
        return chosen, ~chosen

    return halves


def fewer_tries(right: Any) -> Any:
    """Give the null, whose donors are others, a single pair of layers."""

    def back_patch(model: Any, prompts: Any, *, donors: Any, **how: Any) -> Any:
        every = right(model, prompts, donors=donors, **how)
        if donors.digest == prompts.digest:
            return every
        return replace(every, pairs=every.pairs[:1], correct=every.correct[:1])

    return back_patch


def shuffled_apart(right: Any) -> Any:
    """The interval of a difference of means, as if the items were not the same."""

    def paired_difference(a: Any, b: Any, *, seed: int = 0) -> Any:
        return right(a, np.random.default_rng(seed).permutation(b), seed=seed)

    return paired_difference


def other_tail(right: Any) -> Any:
    """The other tail than the one asked for."""
    return lambda *given, tail="greater": right(*given, tail=OTHER[tail])


MUTANTS = (
    Mutant("wald-for-wilson", COOKBOOK, replaced("interp.stats:proportion", wald)),
    Mutant("unpaired-test-of-paired-items", STEERING, replaced("interp.stats:mcnemar", unpaired)),
    Mutant("p-value-can-be-0", STEERING, replaced("interp.stats:rank_in_null", without_one)),
    Mutant("rank-in-the-other-tail", STEERING, replaced("interp.stats:rank_in_null", other_tail)),
    Mutant("mcnemar-in-the-other-tail", STEERING, replaced("interp.stats:mcnemar", other_tail)),
    Mutant("sign-test-in-the-other-tail", COOKBOOK, replaced("interp.stats:sign_test", other_tail)),
    Mutant(
        "tail-ignored",
        COOKBOOK,
        replaced(
            "interp.stats:_sign_test", lambda right: lambda items, _tail: right(items, "greater")
        ),
    ),
    Mutant(
        "one-sided-interval-as-two-sided", STEERING, replaced("interp.stats:average", one_sided)
    ),
    Mutant("holm-without-stepping-down", COOKBOOK, replaced("interp.stats:holm", bonferroni)),
    Mutant(
        "many-tests-uncorrected",
        COOKBOOK,
        replaced("interp.stats:holm", lambda _: np.asarray),
    ),
    Mutant(
        "tested-where-it-was-chosen", "HoppingTooLate", replaced("interp.stats:halves", overlapping)
    ),
    Mutant("groups-torn-apart", STEERING, replaced("interp.stats:halves", torn)),
    Mutant(
        "best-of-all-items",
        "HoppingTooLate",
        replaced(
            "interp.patching:Rescues.best",
            lambda right: lambda self, chosen: right(self, np.ones_like(chosen)),
        ),
    ),
    Mutant(
        "null-with-one-try", "HoppingTooLate", replaced("interp.patching:back_patch", fewer_tries)
    ),
    Mutant(
        "paired-difference-of-other-items",
        STEERING,
        replaced("interp.stats:paired_difference", shuffled_apart),
    ),
    Mutant(
        "too-few-items-are-enough",
        STEERING,
        replaced("interp.stats:Estimate.needs", lambda _: lambda self, _at_least: self),
    ),
)
