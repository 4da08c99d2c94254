"""numpy to MLX and back, and what taps and sweeps do with MLX arrays."""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np
from jaxtyping import Bool, Float, Int


class MlxArrays:
    """numpy to MLX and back."""

    def constant(self, value: Float[np.ndarray, "..."]) -> mx.array:
        """A numpy array as float32; a copy, as MLX takes no array that runs backwards."""
        return mx.array(np.array(value, np.float32, order="C"))

    def float32(self, value: mx.array) -> mx.array:
        """The value in float32."""
        return value.astype(mx.float32)

    def cast_like(self, value: mx.array, reference: mx.array) -> mx.array:
        """The value in the reference's dtype, rounded once."""
        return value.astype(reference.dtype)

    def numpy(self, value: mx.array) -> Float[np.ndarray, "..."]:
        """The value as numpy float32; here it is computed."""
        return np.array(value.astype(mx.float32))


class MlxRows(MlxArrays):
    """Rows picked, put together and written into."""

    def indices(self, numbers: Int[np.ndarray, "..."]) -> mx.array:
        """Numbers that index an array."""
        return mx.array(np.asarray(numbers, np.int32))

    def together(self, first: mx.array, second: mx.array) -> mx.array:
        """The rows of both."""
        return mx.concatenate([first, second])

    def put(self, value: mx.array, where: tuple[mx.array, ...], new: mx.array) -> mx.array:
        """A copy of the value with something new at some places."""
        copy = mx.array(value)
        copy[where] = new
        return copy

    def norms(self, values: mx.array) -> Float[np.ndarray, " n"]:
        """The length of each value, summed in float64, which no GPU of MLX has."""
        flat = self.numpy(values).reshape(len(values), -1).astype(np.float64)
        return np.asarray(np.linalg.norm(flat, axis=1))

    def all_finite(self, values: mx.array) -> bool:
        """Whether there is neither NaN nor infinity among them."""
        return bool(mx.isfinite(values).all())

    def alike(self, before: mx.array, after: mx.array) -> Bool[np.ndarray, " row"]:
        """Which rows are bit for bit as they were."""
        return np.array((before == after).reshape(len(before), -1).all(axis=1))


def padded(ids: Sequence[Sequence[int]], real: Bool[np.ndarray, "batch pos"]) -> mx.array:
    """The rows as one array, padded on the right."""
    found = np.zeros(real.shape, dtype=np.int32)
    found[real] = [token for row in ids for token in row]
    return mx.array(found)
