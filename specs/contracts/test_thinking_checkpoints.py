"""A checkpoint with adapters thinks as the merged model does, and none of its keys is passed over.

Tried on a tiny random checkpoint of its own in the published layout. The same weights merged by
hand, W + (32 / r) B A, must give the same thoughts; without the adapters, or with all of B A, they
give others. What is left out or left over is refused.

Source: contract of `interp.load`; the published layout of CODI, whose own code loads it with
strict=False.
"""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from interp import final_norm, load, relative_error, think
from interp.backends.torch_thinker_twins import write_thinker_twin
from interp.errors import DataError

pytestmark = [pytest.mark.contract]
FIRST, SECOND, MATRIX = ".lora_A.default.weight", ".lora_B.default.weight", ".base_layer.weight"
ALPHA = 32
ROUNDING = 1e-4


@pytest.fixture
def folder(tmp_path):
    """A tiny Llama that thinks."""
    return write_thinker_twin("llama", tmp_path, tmp_path, safe=True)


def thoughts(folder, change):
    """The final states of a question's thoughts, with something changed in the weight file."""
    file = folder / "model.safetensors"
    kept = load_file(file)
    save_file({name: np.ascontiguousarray(one) for name, one in change(kept).items()}, file)
    try:
        return think(load(str(folder)), ["hot -> cold"], capture=[final_norm()]).captured
    finally:
        save_file(kept, file)


def merged(weights, scale):
    """The weights with B A, so many times, in each adapted matrix, and no adapters."""
    stems = {name.removesuffix(FIRST): one for name, one in weights.items() if FIRST in name}
    rest = {name: one for name, one in weights.items() if ".lora_" not in name}
    added = {stem + MATRIX: weights[stem + SECOND] @ a for stem, a in stems.items()}
    factor = scale(len(next(iter(stems.values()))))
    return rest | {name: rest[name] + factor * one for name, one in added.items()}


def test_adapters_are_merged_with_their_scale(folder):
    own = thoughts(folder, lambda weights: weights)[final_norm()]
    scales = {"right": lambda r: ALPHA / r, "none": lambda _: 0.0, "all": lambda _: 1.0}
    found = {
        name: thoughts(folder, lambda weights, scale=scale: merged(weights, scale))[final_norm()]
        for name, scale in scales.items()
    }
    assert relative_error(own, found["right"]) < ROUNDING
    assert min(relative_error(own, found[name]) for name in ("none", "all")) > 100 * ROUNDING


@pytest.mark.parametrize("prefix", ["prj.", "codi.base_model.model.model.norm."])
def test_keys_that_are_missing_are_refused(folder, prefix):
    with pytest.raises(DataError, match=r"not whole|not made on this base"):
        thoughts(folder, lambda all_: {k: one for k, one in all_.items() if prefix not in k})


def test_keys_that_are_left_over_are_refused(folder):
    with pytest.raises(DataError, match="nothing uses"):
        thoughts(folder, lambda weights: {**weights, "other.weight": np.ones(2, np.float32)})
