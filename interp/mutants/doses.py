"""Bugs of how much is added: sign, alpha, units, norms, dtypes, and controls of another size."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.mutants.hooks import APPLY
from interp.mutants.planting import Mutant, Plant, replaced

RANDOM = "interp.directions:Direction.random"


def dosed(change: Any) -> Plant:
    """Every write with another alpha."""
    return replaced(
        APPLY,
        lambda right: (
            lambda x, write, mask, constant: right(
                x, replace(write, alpha=change(write)), mask, constant
            )
        ),
    )


def without_unit(right: Any) -> Any:
    """Project along the vector as it is, whatever its norm."""

    def apply(x: Any, write: Any, mask: Any, constant: Any) -> Any:
        if write.op != "project_out":
            return right(x, write, mask, constant)
        norm = np.linalg.norm(write.value, axis=-1).mean()
        return right(x, replace(write, alpha=write.alpha * norm**2), mask, constant)

    return apply


def in_bfloat16(right: Any) -> Any:
    """Compute the edit in bfloat16."""
    return lambda x, *rest: right(x.bfloat16(), *rest).bfloat16().float()


def in_float16(_right: Any) -> Any:
    """Sum squares in float16, which ends at 65504: a norm of 256."""

    def norms(values: Any) -> Any:
        flat = values.reshape(len(values), -1).astype(np.float16)
        with np.errstate(over="ignore"):
            return np.sqrt((flat * flat).sum(axis=1, dtype=np.float16))

    return norms


def as_intended(right: Any) -> Any:
    """Report the change before it was rounded to the model's dtype."""

    def written(self: Any, number: int, value: Any) -> Any:
        out = right(self, number, value)
        write = self._writes[number]
        if write.op == "add" and write.value.ndim == 1:
            deltas = self._accounts[number].deltas
            dose = float(np.abs(write.alpha).max() * np.linalg.norm(write.value))
            deltas[-1] = np.full_like(deltas[-1], dose)
        return out

    return written


def total_norm(_right: Any) -> Any:
    """Match the controls to the direction's norm all together, not one by one."""

    def random(self: Any, n: int, *, seed: int) -> Any:
        draws = np.random.default_rng(seed).normal(size=(n, len(self.vector)))
        scale = self.norm * n**0.5 / np.linalg.norm(draws)
        vectors = (draws * scale).astype(np.float32)
        return tuple(replace(self, vector=one, found="random") for one in vectors)

    return random


def unscaled(_right: Any) -> Any:
    """Leave a control at the norm it was drawn with."""
    return lambda self, vector, found: replace(self, vector=np.float32(vector), found=found)


def positive(right: Any) -> Any:
    """Draw controls with positive entries only."""
    return lambda self, n, *, seed: tuple(
        replace(one, vector=np.abs(one.vector)) for one in right(self, n, seed=seed)
    )


MUTANTS = (
    Mutant(
        "sign-flipped",
        "vLLM-Hook #35",
        dosed(lambda write: -write.alpha if write.op == "add" else write.alpha),
    ),
    Mutant("alpha-ignored", "vLLM-Hook #12", dosed(lambda write: np.ones_like(write.alpha))),
    Mutant("alpha-squared", "vLLM-Hook #12", dosed(lambda write: write.alpha**2)),
    Mutant(
        "edit-applied-twice",
        "vLLM-Hook #12",
        replaced(APPLY, lambda right: lambda x, *rest: right(right(x, *rest), *rest)),
    ),
    Mutant(
        "dose-of-row-0-for-all",
        "AxBench #149",
        dosed(lambda write: np.full_like(write.alpha, write.alpha[0])),
    ),
    Mutant(
        "unit-ignored",
        "GPT-2 Activation Steering Experiment, 2025-10-21",
        replaced("interp.resolve:_median_norm", lambda _: lambda *_given: np.float32(1)),
    ),
    Mutant("projection-without-unit-norm", "refusal_direction", replaced(APPLY, without_unit)),
    Mutant(
        "projection-adds",
        "vLLM-Hook #35",
        dosed(lambda write: -write.alpha if write.op == "project_out" else write.alpha),
    ),
    Mutant("edit-computed-in-bfloat16", "EasySteer #21", replaced(APPLY, in_bfloat16)),
    Mutant(
        "rounding-left-out-of-the-ledger",
        "activation-steering #4",
        replaced("interp.backends.taps:Taps._written", as_intended),
    ),
    Mutant(
        "norm-overflows-in-float16",
        "transformers #39972",
        replaced("interp.backends.taps:_norms", in_float16),
    ),
    Mutant(
        "norm-is-a-sum",
        "AxBench #149",
        replaced(
            "interp.backends.taps:_norms",
            lambda _: lambda values: np.abs(values.reshape(len(values), -1)).sum(axis=1),
        ),
    ),
    Mutant(
        "control-not-normalised",
        "AxBench #149",
        replaced("interp.directions:Direction.like", unscaled),
    ),
    Mutant(
        "controls-matched-in-total-norm-only",
        "GPT-2 Activation Steering Experiment, 2025-10-21",
        replaced(RANDOM, total_norm),
    ),
    Mutant("controls-all-positive", "torch.rand for torch.randn", replaced(RANDOM, positive)),
    Mutant(
        "controls-all-the-same",
        "GPT-2 Activation Steering Experiment, 2025-10-21",
        replaced(RANDOM, lambda right: lambda self, n, *, seed: right(self, 1, seed=seed) * n),
    ),
)
