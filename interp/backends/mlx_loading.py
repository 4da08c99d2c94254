"""A checkpoint folder into an mlx-lm model: every key used, every weight finite, no code.

The folder is one that mlx-lm wrote, one of mlx-community, or one of transformers.
"""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten
from mlx_lm.models.cache import RotatingKVCache, make_prompt_cache
from mlx_lm.utils import _get_classes
from mlx_lm.utils import load_model as read_model

from interp.backends import checkpoint
from interp.backends.mlx_config import (
    NEUTRAL,
    legacy_keys,
    longest,
    quantization,
    size,
    text_config,
    thetas,
)
from interp.backends.mlx_layout import Block
from interp.backends.protocol import ModelInfo
from interp.errors import DataError, NonFiniteError, RequestError

NO_PATTERN = "mlx-lm's fused attention has no pattern; use the torch backend"
DTYPES = {"float32": mx.float32, "bfloat16": mx.bfloat16, "float16": mx.float16}
Config = Mapping[str, Any]


def load_model(folder: Path, *, dtype: str) -> tuple[Any, Config, str]:
    """The model of a checkpoint folder, the config that mlx-lm made it by, sha256 of its weights.

    Raises:
        DataError: files missing or torn, keys missing or left over, a family or an entry of the
            config that mlx-lm does not know.
        NonFiniteError: a weight is NaN or infinite.
        RequestError: a bfloat16 checkpoint asked for in float16, whose range it exceeds.
    """
    config = checkpoint.read_config(folder)
    files = checkpoint.weight_files(folder)
    stored = config.get("dtype", config.get("torch_dtype"))
    if (dtype, stored) == ("float16", "bfloat16"):
        raise RequestError("a bfloat16 checkpoint does not fit float16", hint="bfloat16 or float32")
    legacy = legacy_keys(config)
    try:
        _refuse_unknown({**config, **legacy})
        model, used = read_model(folder, lazy=True, model_config=legacy, get_model_classes=_classes)
    except DataError as error:
        raise error.during("", where=str(folder)) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refused(error, folder) from None
    if dtype in DTYPES:
        model.set_dtype(DTYPES[dtype])
    mx.eval(model.parameters())
    _refuse_non_finite(model, folder)
    _refuse_unfit(model.eval(), folder)
    return model, used, checkpoint.fingerprint(files)


def describe(model: Any, config: Config, blocks: tuple[Block, ...], fingerprint: str) -> ModelInfo:
    """Who this model is, from its config and its modules."""
    text = text_config(config)
    _refuse_other_rope(text, blocks)
    n_heads, d_model = size(text, "n_heads"), size(text, "d_model")
    cache = make_prompt_cache(model)
    has_window = any(isinstance(one, RotatingKVCache) for one in cache)
    ends = config.get("eos_token_id")
    return ModelInfo(
        family=str(text["model_type"]),
        n_layers=len(blocks),
        n_heads=n_heads,
        n_kv_heads=text.get("num_key_value_heads") or n_heads,
        d_model=d_model,
        d_head=text.get("head_dim") or d_model // n_heads,
        d_vocab=size(text, "d_vocab"),
        max_length=longest(text, has_window=has_window),
        dtype=_dtype(model),
        quantization=quantization(config),
        attn_implementation="mlx",
        device=str(mx.default_device().type).rpartition(".")[2],
        fingerprint=fingerprint,
        end_ids=frozenset(ends if isinstance(ends, list) else [ends]) - {None},
        refused={"pattern": NO_PATTERN},
        n_parameters=0 if quantization(config) else _n_weights(model),
    )


def _n_weights(model: Any) -> int:
    return sum(int(weight.size) for _, weight in tree_flatten(model.parameters()))


def float_weight(module: Any, rows: Sequence[int] | None = None) -> mx.array:
    """A module's weight, or some rows of it, as float32, unpacked where it is packed.

    The scales are cast first: unpacked in bfloat16, a weight is rounded as the product is not.
    """
    chosen = slice(None) if rows is None else mx.array(list(rows))
    weight = module.weight[chosen]
    if "scales" not in module:
        return weight.astype(mx.float32)
    parts = [module.scales[chosen]]
    parts += [module.biases[chosen]] if "biases" in module else [None]
    if module.mode == "affine":
        parts = [part.astype(mx.float32) for part in parts]
    how = {"group_size": module.group_size, "bits": module.bits, "mode": module.mode}
    return mx.dequantize(weight, *parts, **how).astype(mx.float32)


def _classes(config: dict[str, Any]) -> tuple[type[nn.Module], type]:
    """The classes of mlx-lm for this config; GPT-2 as transformers saves it is renamed on the way.

    `save_pretrained` writes `transformer.h...`, the hub's original file `h...`.
    """
    model, arguments = _get_classes(config)
    if config["model_type"] != "gpt2":
        return model, arguments

    class Renamed(model):  # type: ignore[misc,valid-type]  # chosen at run time
        def sanitize(self, weights: dict[str, mx.array]) -> dict[str, mx.array]:
            plain = {k.removeprefix("transformer."): v for k, v in weights.items()}
            plain.pop("lm_head.weight", None)  # tied
            return dict(super().sanitize(plain))

    return Renamed, arguments


def _refuse_unknown(config: dict[str, Any]) -> None:
    """Nothing, if mlx-lm has this family, and this config what its arguments require.

    Raises:
        DataError: naming what is missing.
    """
    try:
        _, arguments = _get_classes(config)
    except ValueError:
        raise DataError(
            "mlx-lm does not have this model family",
            expected="a model_type that has a module in mlx_lm.models",
            received=repr(config.get("model_type")),
            hint="load it with the torch backend, or a newer mlx-lm",
        ) from None
    known = inspect.signature(arguments).parameters.values()
    asked = [one.name for one in known if one.default is one.empty]
    if missing := [name for name in asked if name not in config]:
        raise DataError(
            "a config lacks what mlx-lm needs",
            expected=", ".join(asked),
            received=f"without {', '.join(missing)}",
        )
    scaling = config.get("rope_scaling") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind not in NEUTRAL and "rope_scaling" not in {one.name for one in known}:
        raise DataError(
            "mlx-lm has no scaled rope for this family",
            received=f"rope_scaling of type {kind!r}",
            hint="load it with the torch backend",
        )


def _refuse_other_rope(config: Config, blocks: tuple[Block, ...]) -> None:
    """Nothing, if the model turns its queries and keys as its config says, where that can be read.

    Raises:
        DataError: mlx-lm fell back to another theta.
    """
    asked = thetas(config)
    for layer, block in enumerate(blocks):
        base = getattr(getattr(block.attention, "rope", None), "base", None)
        if asked and isinstance(base, (int, float)) and float(base) not in asked:
            raise DataError(
                "mlx-lm would turn queries and keys by another angle",
                expected=f"rope_theta {' or '.join(map(str, sorted(asked)))}",
                received=float(base),
                where=f"layer {layer}",
                hint="load it with the torch backend",
            )


def _refused(error: Exception, folder: Path) -> DataError:
    said = str(error)
    if "parameters" in said or "shape" in said:
        return DataError(
            "the weights are not those of this config",
            expected="every weight of the model in the checkpoint, and no other",
            received=" ".join(said.split())[:300],
            where=str(folder),
        )
    received = f"{type(error).__name__}: {said}"
    return DataError("mlx-lm cannot load this checkpoint", received=received, where=str(folder))


def _refuse_unfit(model: Any, folder: Path) -> None:
    """Nothing, if the model can read one token; what mlx-lm assumes of a family shows here."""
    try:
        mx.eval(model(mx.zeros((1, 1), mx.int32)))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise DataError(
            "mlx-lm can load this model and not run it",
            received=f"{type(error).__name__}: {error}",
            where=str(folder),
            hint="load it with the torch backend",
        ) from None


def _refuse_non_finite(model: Any, folder: Path) -> None:
    for name, weight in tree_flatten(model.parameters()):
        floating = mx.issubdtype(weight.dtype, mx.floating)
        if floating and not bool(mx.isfinite(weight).all()):
            raise NonFiniteError(
                "a weight is NaN or infinite", where=f"{folder} · {name}", hint="fetch it again"
            )


def _dtype(model: Any) -> str:
    """What the model computes in: the dtype of its final norm, which is never quantised."""
    kinds = {
        weight.dtype
        for _, weight in tree_flatten(model.parameters())
        if mx.issubdtype(weight.dtype, mx.floating)
    }
    if len(kinds) != 1:
        raise DataError(
            "the weights of a model are of one dtype",
            received=", ".join(sorted(map(str, kinds))),
            hint="ask for a dtype",
        )
    return str(kinds.pop()).removeprefix("mlx.core.")
