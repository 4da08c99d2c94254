"""Vectors as long as others: what a disturbance of that size does by itself."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from jaxtyping import Float

Place = TypeVar("Place")


def noise_like(
    values: Mapping[Place, Float[np.ndarray, "..."]], *, seed: int
) -> dict[Place, Float[np.ndarray, "..."]]:
    """Gaussian vectors, each as long as the one it stands for."""
    rng = np.random.default_rng(seed)
    return {place: scaled(rng.normal(size=own.shape), own) for place, own in values.items()}


def scaled(
    values: Float[np.ndarray, "..."], like: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """These vectors, each as long as its counterpart."""
    lengths = [np.linalg.norm(one, axis=-1, keepdims=True) for one in (like, values)]
    return np.asarray(values * lengths[0] / lengths[1], dtype=np.float32)
