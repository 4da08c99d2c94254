"""The tuned lens: an affine map of each depth's states, made to say what the model will say.

    logits at depth i = unembed(h + W_i h + b_i),  h the stream before block i

The maps come from a folder in the format of the published lenses; the model's own norm and head
read them out. After the last block there is no map: that depth is the model's own output.

Source:  Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens",
         arXiv:2303.08112; format of `tuned_lens.nn.lenses`, AlignmentResearch/tuned-lens 0.2.0.
Differs: softcaps are the model's own; a lens of another model is refused, where theirs warns.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from jaxtyping import Float

from interp.backends.installed import to_install
from interp.backends.tables import read_table, write_table
from interp.depths import States
from interp.errors import DataError, InterpError, RequestError
from interp.lens_files import PICKLED, lens_folder, weights_in
from interp.lens_files import without_lens as without_files
from interp.models import Model

LINEAR: Final = "linear_tuned_lens"
EDGE: Final = 3  # rows, and columns, that an abbreviated array shows at each of its ends
WHOLE: Final = 1000  # elements up to which an array is printed whole


class LensConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The config.json of a lens, key by key; the last one is ours.

    `unembed_hash` sees six rows of the unembedding in one decimal: `base_model_sha256`, where it is
    given, is that of all weights.
    """

    base_model_name_or_path: str
    d_model: int
    num_hidden_layers: int
    bias: bool = True
    base_model_revision: str | None = None
    unembed_hash: str | None = None
    lens_type: str = LINEAR
    base_model_sha256: str | None = None


@dataclass(frozen=True, eq=False, repr=False)
class TunedLens:
    """One affine map a depth, in residual form: zeros are the logit lens."""

    weights: Float[np.ndarray, "depth d_model d_model"]
    biases: Float[np.ndarray, "depth d_model"]
    config: LensConfig
    name: str = "tuned lens"

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        base = self.config.base_model_name_or_path
        return f"<{self.name} of {base}, {len(self.weights)} depths>"

    def __call__(self, depth: int, hidden: States) -> States:
        """The states of a depth, as those of the last depth would be; the last ones as they are."""
        if depth == len(self.weights):
            return hidden
        moved = hidden @ self.weights[depth].T + self.biases[depth]
        return np.asarray(hidden + moved)

    def of_other_depths(self, shift: int) -> "TunedLens":
        """A control: each depth has the map of the depth so many further on, around the end.

        Raises:
            RequestError: a shift after which each depth has its own map again.
        """
        if not shift % len(self.weights):
            raise RequestError("each depth would keep its map", asked=f"of_other_depths({shift})")
        weights, biases = (np.roll(one, -shift, axis=0) for one in (self.weights, self.biases))
        return replace(self, weights=weights, biases=biases, name="shifted")

    def shuffled(self, *, seed: int) -> "TunedLens":
        """A control: each map with its inputs in another order, its outputs and norms as they were.

        What a map adds has the same directions and the same spread over them; only which state
        asks for it is lost.
        """
        rng = np.random.default_rng(seed)
        maps = [weight[:, rng.permutation(len(weight))] for weight in self.weights]
        return replace(self, weights=np.stack(maps), name="shuffled")


def tuned_lens(model: Model, folder: Path | str | None = None) -> TunedLens:
    """The tuned lens of a model: the one its registry entry names, or that of a folder.

    Raises:
        DataError: no such files, keys or shapes that are not those of this model, or a lens that
            was trained for another unembedding.
        NonFiniteError: a map is NaN or infinite.
    """
    found = lens_folder(model.spec) if folder is None else Path(folder)
    if found is None:
        raise DataError("this model has no lens", received=model.id, hint=without_lens(model))
    try:
        lens = read_lens(found)
        _refuse_other_model(lens.config, model)
    except InterpError as error:
        raise error.during(f"tuned_lens({model.id})", where=str(found)) from None
    return lens


def without_lens(model: Model) -> str:
    """Why a model has no tuned lens here, and what to do; empty where it has one."""
    if not (folder := lens_folder(model.spec)):
        return without_files(model.spec)
    if weights_in(folder).name == PICKLED and (command := to_install("torch")):
        return f"{PICKLED} is read by torch, which is not installed; {command}"
    return ""


def identity_lens(model: Model) -> TunedLens:
    """A lens of zeros, which is the logit lens, for this model."""
    layers, width = model.n_layers, model.d_model
    config = LensConfig(
        model.spec.source,
        width,
        layers,
        base_model_revision=model.spec.revision,
        unembed_hash=unembed_hash(model),
        base_model_sha256=model.fingerprint,
    )
    zeros = np.zeros((layers, width, width), np.float32), np.zeros((layers, width), np.float32)
    return TunedLens(*zeros, config)


def read_lens(folder: Path) -> TunedLens:
    """The lens in a folder, whole and finite; whose it is, is not looked at.

    Raises:
        DataError: a file is missing or torn, or is not what the other says.
        NonFiniteError: a map is NaN or infinite.
    """
    config = _config(folder / "config.json")
    table = read_table(weights_in(folder))
    depths, width = config.num_hidden_layers, config.d_model
    shapes: dict[str, tuple[int, ...]]
    shapes = {f"{depth}.weight": (width, width) for depth in range(depths)}
    if config.bias:
        shapes |= {f"{depth}.bias": (width,) for depth in range(depths)}
    received = {name: value.shape for name, value in table.items()}
    if received != shapes:
        wrong = sorted(received.items() ^ shapes.items())
        raise DataError(
            "the maps are not those of this config",
            expected=f"{depths} maps of width {width}",
            received=f"{wrong[0][0]} {wrong[0][1]}",
            where=str(folder),
        )
    weights = [table[f"{depth}.weight"] for depth in range(depths)]
    biases = [table.get(f"{depth}.bias", np.zeros(width)) for depth in range(depths)]
    return TunedLens(
        np.stack(weights).astype(np.float32), np.stack(biases).astype(np.float32), config
    )


def write_lens(
    lens: TunedLens, folder: Path, *, kind: Literal["params.pt", "params.safetensors"] = "params.pt"
) -> None:
    """Write a lens as `read_lens`, and the library of the published lenses, read it."""
    folder.mkdir(parents=True, exist_ok=True)
    table = {f"{depth}.weight": weight for depth, weight in enumerate(lens.weights)}
    if lens.config.bias:
        table |= {f"{depth}.bias": bias for depth, bias in enumerate(lens.biases)}
    said = msgspec.to_builtins(lens.config)
    known = {key: value for key, value in said.items() if key != "base_model_sha256" or value}
    (folder / "config.json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    write_table(table, folder / kind)


def unembed_hash(model: Model) -> str:
    """The hash by which a lens names the unembedding it was trained for.

    sha256 of the matrix as numpy prints it in one decimal. A matrix of more than a thousand numbers
    is abbreviated there, so only its corners count; no other row needs to be held.
    """
    info = model.backend.info
    whole = info.d_vocab * info.d_model <= WHOLE or info.d_vocab <= 2 * EDGE
    ends = (*range(EDGE + 1), *range(info.d_vocab - EDGE, info.d_vocab))
    rows = model.backend.reference.unembedding(range(info.d_vocab) if whole else ends)
    return printed_hash(rows, abbreviated=info.d_vocab * info.d_model > WHOLE)


def printed_hash(matrix: Float[np.ndarray, "row d_model"], *, abbreviated: bool) -> str:
    """sha256 of a matrix in numpy's words, whatever this process has set numpy to print.

    Source:  `tuned_lens.utils.tensor_hash`, which is robust to dtype and to small changes.
    """
    with np.printoptions(
        edgeitems=EDGE,
        threshold=0 if abbreviated else WHOLE,
        linewidth=75,
        suppress=False,
        nanstr="nan",
        infstr="inf",
        sign="-",
        floatmode="maxprec",
        formatter=None,
        legacy=False,
    ):
        return hashlib.sha256(np.array_str(matrix, precision=1).encode()).hexdigest()


def _config(path: Path) -> LensConfig:
    try:
        config = msgspec.json.decode(path.read_bytes(), type=LensConfig)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(
            "a lens needs a readable config.json", received=error, where=str(path)
        ) from None
    if config.lens_type != LINEAR or min(config.d_model, config.num_hidden_layers) < 1:
        raise DataError(
            "only a linear lens with a map for each depth is known",
            expected=LINEAR,
            received=f"{config.lens_type}, {config.num_hidden_layers} x {config.d_model}",
            where=str(path),
        )
    return config


def _refuse_other_model(config: LensConfig, model: Model) -> None:
    """Nothing, if a lens was trained for this model.

    Raises:
        DataError: another depth, width, unembedding or, where the lens names it, another weight.
    """
    own = {
        "num_hidden_layers": model.n_layers,
        "d_model": model.d_model,
        "unembed_hash": unembed_hash(model),
        "base_model_sha256": config.base_model_sha256 and model.fingerprint,
    }
    for key, expected in own.items():
        if (received := getattr(config, key)) != expected:
            raise DataError(
                f"this lens was trained for another model: its {key} differs",
                expected=expected,
                received=received,
                hint=f"a lens of {config.base_model_name_or_path} is not one of {model.id}",
            )
