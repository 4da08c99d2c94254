"""numpy to torch and back, and what taps and sweeps do with tensors, on one device."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class TorchArrays:
    """numpy to torch and back, on one device."""

    def __init__(self, device: torch.device) -> None:
        """Remember the device."""
        self._device = device

    def constant(self, value: Float[np.ndarray, "..."]) -> Tensor:
        """A numpy array as float32 on the device."""
        return torch.tensor(np.asarray(value, np.float32), device=self._device)

    def float32(self, value: Tensor) -> Tensor:
        """The value in float32."""
        return value.float()

    def cast_like(self, value: Tensor, reference: Tensor) -> Tensor:
        """The value in the reference's dtype, rounded once."""
        return value.to(reference.dtype)

    def numpy(self, value: Tensor) -> Float[np.ndarray, "..."]:
        """The value as numpy float32."""
        return np.asarray(value.detach().float().cpu().numpy())


class TorchRows(TorchArrays):
    """Rows picked, put together and written into, on one device."""

    def indices(self, numbers: Int[np.ndarray, "..."]) -> Tensor:
        """Numbers that index a tensor."""
        return torch.from_numpy(np.asarray(numbers, np.int64)).to(self._device)

    def together(self, first: Tensor, second: Tensor) -> Tensor:
        """The rows of both."""
        return torch.cat([first, second])

    def put(self, value: Tensor, where: tuple[Tensor, ...], new: Tensor) -> Tensor:
        """A copy of the value with something new at some places."""
        return value.clone().index_put_(where, new)

    def norms(self, values: Tensor) -> Float[np.ndarray, " n"]:
        """The length of each value, summed in float64."""
        flat = values.flatten(1)
        lengths: Any = torch.linalg.vector_norm(flat, dim=1, dtype=torch.float64)
        return np.asarray(lengths.cpu().numpy())

    def all_finite(self, values: Tensor) -> bool:
        """Whether there is neither NaN nor infinity among them."""
        return bool(torch.isfinite(values).all())

    def alike(self, before: Tensor, after: Tensor) -> Bool[np.ndarray, " row"]:
        """Which rows are bit for bit as they were."""
        return np.asarray((before == after).flatten(1).all(dim=1).cpu().numpy())
