"""What the ops mean, once for all engines: arrays need only +, *, -, sum and broadcasting.

Where nothing is written (mask or alpha zero) the result equals the input exactly, since
x + 0 = x and x * 1 + 0 * v = x in floating point for finite values.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from interp.backends.protocol import Op, Write

Array = Any  # an engine's own array type: torch.Tensor, mlx.core.array
Constant = Callable[[Float[np.ndarray, "..."]], Array]


def apply(
    x: Array, write: Write, mask: Float[np.ndarray, "batch pos"], constant: Constant
) -> Array:
    """The site's value after one write, in float32.

    Args:
        x: the value, [batch, pos, d_model], or [batch, pos, head, d_head] for a site with heads.
        write: what to do.
        mask: 1 where the write fires in this call, else 0.
        constant: turns numpy float32 into the engine's array on the model's device.
    """
    feature = x.ndim - 2
    fires = mask[(..., *[None] * feature)]
    if write.heads is not None:
        fires = fires * _head_mask(x.shape[2], write.heads)
    value = constant(_aligned(write, x.shape[2:]))
    where = constant(fires)
    if write.op == "replace":
        return x * (1 - where) + where * value
    dose = constant(fires * write.alpha[(..., None, *[None] * feature)])
    return changed(x, write.op, value, dose)


def changed(x: Array, op: Op, value: Array, dose: Array) -> Array:
    """One value under an op, in float32; where it is replaced the dose plays no part."""
    if op == "replace":
        return value
    if op == "add":
        return x + dose * value
    unit = value / (value * value).sum(-1, keepdims=True) ** 0.5
    return x - dose * (x * unit).sum(-1, keepdims=True) * unit


def _head_mask(n_heads: int, heads: tuple[int, ...]) -> Float[np.ndarray, "1 1 head 1"]:
    named = np.zeros((1, 1, n_heads, 1), np.float32)
    named[:, :, list(heads)] = 1
    return named


def _aligned(write: Write, feature: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """The value as [batch or 1, pos or 1, *feature], with unnamed heads that no mask uses."""
    value = np.asarray(write.value, np.float32)
    if write.heads is not None:
        full = np.zeros((*value.shape[:-2], *feature), np.float32)
        full[..., list(write.heads), :] = value
        if write.op == "project_out":  # a unit vector is needed even where it is masked out
            full[..., [h for h in range(feature[0]) if h not in write.heads], 0] = 1
        value = full
    extra = value.ndim - len(feature)
    return value.reshape(*value.shape[:extra], *[1] * (2 - extra), *feature)
