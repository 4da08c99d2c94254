"""Files of weights as torch reads them: safetensors, or a pickle of tensors and nothing else."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from interp.errors import DataError


def tensors(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a file by name.

    Raises:
        DataError: the file is torn, holds more than weights, or is no table of tensors.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(
            "a weight file is torn, or holds more than weights",
            expected="a whole file with tensors and nothing else",
            received=str(error).strip().splitlines()[0],
            where=str(file),
            hint="fetch the model again",
        ) from None
    if not isinstance(state, dict) or not all(isinstance(one, Tensor) for one in state.values()):
        raise DataError("the file must be one table of tensors", where=str(file))
    return state


def numbers(file: Path) -> Mapping[str, Float[np.ndarray, "..."]]:
    """The same as numpy float32."""
    return {name: one.float().numpy() for name, one in tensors(file).items()}


def write_numbers(table: Mapping[str, Float[np.ndarray, "..."]], file: Path) -> None:
    """Write numpy arrays as a pickle of tensors."""
    torch.save({name: torch.from_numpy(one) for name, one in table.items()}, file)
