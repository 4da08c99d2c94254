"""What a planned sweep asks of an engine's arrays beyond what taps ask."""

from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.backends.taps import Engine

Array = Any  # an engine's own array type


class RowEngine(Engine, Protocol):
    """Rows picked, put together and written into, on the model's device."""

    def indices(self, numbers: Int[np.ndarray, "..."]) -> Array:
        """Numbers that index an array."""
        ...

    def together(self, first: Array, second: Array) -> Array:
        """The rows of both."""
        ...

    def put(self, value: Array, where: tuple[Array, ...], new: Array) -> Array:
        """A copy of the value with something new at some places."""
        ...

    def norms(self, values: Array) -> Float[np.ndarray, " n"]:
        """The length of each value, summed in float64."""
        ...

    def all_finite(self, values: Array) -> bool:
        """Whether there is neither NaN nor infinity among them."""
        ...

    def alike(self, before: Array, after: Array) -> Bool[np.ndarray, " row"]:
        """Which rows are bit for bit as they were."""
        ...
