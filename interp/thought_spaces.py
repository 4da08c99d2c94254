"""What thoughts vary in: principal components, kept or taken out, beside random subspaces.

Source:  the principal components that "LLaMA-3.2-1B Activation Steering Experiment - Full
         Dataset", 2025-10-21, leaves for later; singular vectors of states as in Shen et al. 2025.
Differs: found on other questions than they are tested on; a random subspace of as many dimensions
         as the null.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from interp.charts import Curves, Line, Plot, floats
from interp.errors import RequestError


@dataclass(frozen=True, eq=False, repr=False)
class Space:
    """A mean and orthonormal axes through it, with the share of the variance along each."""

    mean: Float[np.ndarray, " d_model"]
    axes: Float[np.ndarray, "component d_model"]
    shares: Float[np.ndarray, " component"]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<{len(self.axes)} axes, {self.shares[0]:.0%} along the first>"

    def inside(
        self, values: Float[np.ndarray, "batch d_model"], n: int
    ) -> Float[np.ndarray, "batch d_model"]:
        """What of the values lies along the first `n` axes, the mean aside.

        Raises:
            RequestError: more axes than there are.
        """
        if not 0 <= n <= len(self.axes):
            raise RequestError("no such number of axes", expected=f"0 to {len(self.axes)}")
        first = self.axes[:n]
        return np.asarray((values - self.mean) @ first.T @ first)

    def kept(
        self, values: Float[np.ndarray, "batch d_model"], n: int
    ) -> Float[np.ndarray, "batch d_model"]:
        """The mean and what lies along the first `n` axes: all else is gone."""
        return np.asarray(self.mean + self.inside(values, n), np.float32)

    def removed(
        self, values: Float[np.ndarray, "batch d_model"], n: int
    ) -> Float[np.ndarray, "batch d_model"]:
        """The values without what lies along the first `n` axes: all else stays."""
        return np.asarray(values - self.inside(values, n), np.float32)

    def share_of(self, vector: Float[np.ndarray, " d_model"], n: int) -> float:
        """How much of a vector's squared length lies along the first `n` axes."""
        wide = vector.astype(np.float64)
        return float(np.sum((self.axes[:n] @ wide) ** 2) / np.sum(wide**2))

    def towards(self, vector: Float[np.ndarray, " d_model"]) -> Float[np.ndarray, " d_model"]:
        """The first axis, with the sign that has no obtuse angle with a vector."""
        return np.asarray(self.axes[0] if self.axes[0] @ vector >= 0 else -self.axes[0])

    def random(self, *, seed: int) -> "Space":
        """The same mean with as many random orthonormal axes."""
        draw = np.random.default_rng(seed).normal(size=self.axes.shape[::-1])
        return replace(self, axes=np.linalg.qr(draw)[0].T)


def principal_space(values: Float[np.ndarray, "batch d_model"]) -> Space:
    """The mean of some values and their principal components, the largest first, in float64.

    Raises:
        RequestError: the values do not vary.
    """
    wide = values.astype(np.float64)
    mean = wide.mean(axis=0)
    _, sizes, axes = np.linalg.svd(wide - mean, full_matrices=False)
    if not sizes[0] > np.finfo(np.float32).eps * np.linalg.norm(wide):
        raise RequestError("the values do not vary", hint="more questions")
    return Space(mean, axes, sizes**2 / np.sum(sizes**2))


def variance_curves(spaces: Sequence[Space], *, n: int) -> Curves:
    """The share of the variance that the first components hold, a line a thought."""
    sums = [one.shares.cumsum() for one in spaces]
    x = floats(range(1, 1 + len(sums[0])))
    lines = tuple(Line(f"thought {step}", x, floats(one)) for step, one in enumerate(sums))
    plot = Plot("share of the variance", lines)
    return Curves("Principal components of thoughts", f"n = {n} questions.", "components", (plot,))
