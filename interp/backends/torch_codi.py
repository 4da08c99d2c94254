"""A checkpoint in the published layout into a plain transformers model: adapters merged, exact.

Source:  the layout of Shen et al. 2025, "CODI", arXiv:2502.21074v3, and of its published files.
Differs: theirs are loaded with strict=False, which says nothing when no key fits; here each key is
         used or refused, and the adapters are merged once, in float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from interp.backends import checkpoint, published
from interp.backends.protocol import ThoughtInfo
from interp.backends.published import Layout
from interp.backends.torch_loading import DTYPES, quiet
from interp.backends.torch_tables import tensors
from interp.errors import DataError, NonFiniteError

# Rows after the words of the base: padding, the beginning of the thoughts, their end.
ADDED, BEGIN, END = 3, 1, 2
HEAD = "lm_head.weight"
EMBEDDINGS = ("transformer.wte.weight", "model.embed_tokens.weight")


@dataclass(frozen=True, eq=False)
class Student:
    """The language model, what its thoughts go through, and the tokens around them."""

    model: Any
    projection: nn.Module
    info: ThoughtInfo


def load_student(
    folder: Path, base: Path, *, dtype: str, attn_implementation: str | None
) -> tuple[Student, str]:
    """The model of a checkpoint on its base's configuration, and the sha256 of the file.

    Raises:
        DataError: the file is torn, of another base, or has keys missing or left over.
        NonFiniteError: a weight is NaN or infinite.
    """
    file = published.weight_file(folder)
    state = {name: weight.float() for name, weight in tensors(file).items()}
    found = published.layout(state, folder)
    published.refuse_other_projection(found, folder)
    _refuse_non_finite(state, file)
    model = _empty(base, attn_implementation)
    n_words = model.config.vocab_size - ADDED
    weights = {name: state[key] for name, key in found.plain.items()}
    if model.config.tie_word_embeddings:
        _tie(weights, file)
    _refuse_other_base(model, weights, file)
    model.load_state_dict(weights | merged(state, found, _transposed(model), file))
    model.tie_weights()
    projection = _projection(
        {key: state[key] for key in found.projection}, model.config.hidden_size, file
    )
    asked = DTYPES.get(dtype, torch.float32)
    counted = _counted(found, tied=model.config.tie_word_embeddings)
    n_parameters = sum(state[key].numel() for key in counted)
    about = ThoughtInfo(n_words + BEGIN, n_words + END, bool(found.projection), n_parameters)
    student = Student(model.to(asked), projection.to(asked), about)
    return student, checkpoint.fingerprint((file,))


def merged(
    state: Mapping[str, Tensor], found: Layout, transposed: frozenset[str], file: Path
) -> dict[str, Tensor]:
    """The adapted weights, each with its adapter added: W + (alpha / r) B A, in float32.

    Raises:
        DataError: an adapter of another shape than its matrix.
    """
    weights = {}
    for name, (a, b) in found.adapted.items():
        weight = state[found.plain[name]].T if name in transposed else state[found.plain[name]]
        if (len(state[b]), state[a].shape[-1], len(state[a])) != (
            *weight.shape,
            state[b].shape[-1],
        ):
            raise DataError("an adapter does not fit its matrix", received=a, where=str(file))
        whole = weight + state[b] @ state[a] * (published.LORA_ALPHA / len(state[a]))
        weights[name] = (whole.T if name in transposed else whole).contiguous()
    return weights


def _empty(base: Path, attn_implementation: str | None) -> Any:
    """The base's architecture with rows for the added tokens, its weights still to come."""
    kind: Any = AutoModelForCausalLM
    try:
        config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
        config.vocab_size += ADDED
        config.dtype = "float32"
        with quiet():
            return kind.from_config(config, attn_implementation=attn_implementation)
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise DataError(
            "the base of this checkpoint cannot be built", received=error, where=str(base)
        ) from None


def _transposed(model: Any) -> frozenset[str]:
    """The weights that transformers keeps as [in, out]."""
    modules = model.named_modules()
    return frozenset(f"{name}.weight" for name, one in modules if type(one).__name__ == "Conv1D")


def _tie(weights: dict[str, Tensor], file: Path) -> None:
    """Make the head the embedding, which a file may hold once or twice."""
    embedding = next((weights[name] for name in EMBEDDINGS if name in weights), None)
    head = weights.get(HEAD, embedding)
    if embedding is None or head is None or not torch.equal(head, embedding):
        raise DataError("the head is not the embedding it is tied to", where=f"{file} · {HEAD}")
    weights[HEAD] = embedding


def _refuse_other_base(model: Any, weights: Mapping[str, Tensor], file: Path) -> None:
    """Nothing, if these are the weights of this model, all of them and no other."""
    hint = "`base` in models.toml names the model that was trained further"
    rule = "this checkpoint is not made on this base"
    _refuse_other_shapes(rule, model.state_dict(), weights, where=str(file), hint=hint)


def _refuse_other_shapes(
    rule: str, own: Mapping[str, Tensor], given: Mapping[str, Tensor], *, where: str, hint: str = ""
) -> None:
    """Nothing, if both are weights of the same names and shapes.

    Raises:
        DataError: a weight is missing, left over or of another shape.
    """
    expected, received = ({name: one.shape for name, one in side.items()} for side in (own, given))
    if expected != received:
        wrong = sorted(expected.items() ^ received.items())
        told = _told(wrong, expected), _told(wrong, received)
        raise DataError(rule, expected=told[0], received=told[1], where=where, hint=hint)


def _told(wrong: list[tuple[str, torch.Size]], shapes: Mapping[str, torch.Size]) -> str:
    name = wrong[0][0]
    return f"{name} {list(shapes[name])}" if name in shapes else f"no {name}"


def _projection(weights: Mapping[str, Tensor], width: int, file: Path) -> nn.Module:
    """Through any inner width, back to the model's.

    Raises:
        DataError: a weight of it has another shape.
    """
    if not weights:
        return nn.Identity()
    inner = len(weights["prj.1.weight"])
    module = nn.Sequential(
        nn.Dropout(0.0), nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width)
    )
    module.add_module("ln", nn.LayerNorm(width))
    given = {key.removeprefix(published.PROJECTION): one for key, one in weights.items()}
    rule = "the projection does not fit the model"
    _refuse_other_shapes(rule, module.state_dict(), given, where=f"{file} · {published.PROJECTION}")
    module.load_state_dict(given)
    return module


def _counted(found: Layout, *, tied: bool) -> list[str]:
    """The keys of all that was trained or kept, a tied head once."""
    plain = [key for name, key in found.plain.items() if not (tied and name == HEAD)]
    adapters = [key for pair in found.adapted.values() for key in pair]
    return [*plain, *adapters, *found.projection]


def _refuse_non_finite(state: Mapping[str, Tensor], file: Path) -> None:
    for name, weight in state.items():
        if not bool(torch.isfinite(weight).all()):
            raise NonFiniteError(
                "a weight is NaN or infinite", where=f"{file} · {name}", hint="fetch it again"
            )
