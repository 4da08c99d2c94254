"""Weights in fewer bits, as mlx_lm.convert packs them: something to compare with."""

from pathlib import Path

from interp.errors import DataError


def write_packed(source: str, folder: Path, *, bits: int, group_size: int) -> str:
    """Write the weights of a checkpoint, packed, into a folder that is made for them.

    Raises:
        DataError: mlx_lm.convert does not take this model.
    """
    from mlx_lm import convert  # noqa: PLC0415  only where MLX is

    try:
        convert(source, str(folder), quantize=True, q_bits=bits, q_group_size=group_size)
    except (TypeError, ValueError) as error:
        raise DataError(
            "mlx_lm.convert does not take this model", received=error, where=source
        ) from None
    return str(folder)
