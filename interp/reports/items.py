"""The per-item outcomes of accepted values, in files named by their content."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from interp.errors import DataError

if TYPE_CHECKING:
    import numpy as np


def items_folder(reports: Path) -> Path:
    """Where the per-item outcomes of accepted values are kept."""
    return reports / "baselines" / "items"


def load_items(path: Path) -> "np.ndarray | None":
    """Per-item outcomes, checked against the digest that names them; None where they are not here.

    Raises:
        DataError: the file is not what its name says.
    """
    import numpy as np  # noqa: PLC0415  only where items are compared

    if not path.is_file():
        return None
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise _refused("its content is not what its name says", path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as held:
            return np.asarray(held["items"]).ravel()
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise _refused(str(error), path) from None


def _refused(received: str, path: Path) -> DataError:
    return DataError(
        "the items of an accepted value are not what they must be",
        received=received,
        where=str(path),
        hint="restore the file from git",
    )
