"""What every spec of a project under test begins with: pytest, and an estimate to measure."""

from dataclasses import dataclass

import pytest  # noqa: F401  for the spec that is written below this


@dataclass(frozen=True)
class Estimate:
    """As `interp.stats.Estimate`, without the library."""

    mean: float
    low: float
    high: float
    n: int
    items: object = None
