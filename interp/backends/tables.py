"""Tables of tensors as files, to and from numpy: safetensors, or what torch pickles.

A pickle is read as weights only and needs torch; nothing else here does.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from interp.backends.installed import INSTALL
from interp.errors import DataError, NonFiniteError, RequestError

Table = Mapping[str, Float[np.ndarray, "..."]]


def read_table(file: Path) -> Table:
    """The tensors of a file by name, in float32.

    Raises:
        DataError: the file is torn, or holds something else.
        NonFiniteError: a number in it is none.
        RequestError: a pickle, where torch is not installed.
    """
    table: Table = _read(file) if file.suffix == ".safetensors" else _torch(file).numbers(file)
    for name, values in table.items():
        if not np.isfinite(values).all():
            raise NonFiniteError("a weight is NaN or infinite", where=f"{file} · {name}")
    return {name: values.astype(np.float32) for name, values in table.items()}


def write_table(table: Table, file: Path) -> None:
    """Write tensors as float32; `read_table` gives them back bit for bit.

    Raises:
        RequestError: a pickle, where torch is not installed.
    """
    whole = {name: np.ascontiguousarray(values, np.float32) for name, values in table.items()}
    if file.suffix == ".safetensors":
        save_file(whole, file)
    else:
        _torch(file).write_numbers(whole, file)


def _read(file: Path) -> Table:
    try:
        table: Table = load_file(file)
    except (OSError, SafetensorError, KeyError) as error:  # KeyError: a dtype that numpy lacks
        raise DataError(
            "this is no whole file of tensors that numpy knows", received=error, where=str(file)
        ) from None
    return table


def _torch(file: Path) -> Any:
    try:
        return importlib.import_module("interp.backends.torch_tables")
    except ImportError as error:
        raise RequestError(
            "a pickle of weights needs torch",
            received=error,
            where=file.name,
            hint=f"{INSTALL['torch']}, or a .safetensors file",
        ) from None
