"""One model in several precisions on MLX: what fewer bits cost is measured beside float32."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from interp.backends.installed import to_install
from interp.backends.mlx_packing import write_packed
from interp.models import Model, load

# A dtype of all weights, or the bits of packed ones; these compute in float32.
TIERS: Final[Mapping[str, str | int]] = {
    "float32": "float32",
    "bfloat16": "bfloat16",
    "8 bits": 8,
    "4 bits": 4,
}
GROUP: Final = 64  # half of it where the model is not so many times as wide


def without_tiers(model: Model) -> str:
    """Why there is nothing to compare with this model; empty where there is."""
    if command := to_install("mlx"):
        return f"the mlx backend is not installed; {command}"
    info = model.backend.info
    whole = info.dtype == "float32" and not info.quantization
    return "" if whole else "tiers are made of a float32 model"


def in_tier(model: Model, tier: str, folder: Path) -> Model:
    """The same weights on MLX in one of the `TIERS`; packed ones are written into `folder`.

    Raises:
        DataError: mlx_lm.convert does not take this model.
    """
    whole, how = replace(model.spec, mlx="", mlx_path=""), TIERS[tier]
    if isinstance(how, str):
        return load(whole, backend="mlx", dtype=how)
    group = GROUP if model.d_model % GROUP == 0 else GROUP // 2
    packed = write_packed(whole.source, folder, bits=how, group_size=group)
    return load(replace(whole, source=packed, is_local=True, sha256=None), backend="mlx")
