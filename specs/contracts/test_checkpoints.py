"""A checkpoint is loaded whole or not at all, and decoding ends where it says.

Tried on a tiny random model of its own, because a checkpoint must be damaged to see it refused.

Source: contract of `interp.load` and `interp.generate`; a state dict loaded with strict=False gives
the numbers of a model that nobody trained.
"""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from interp import generate, load
from interp.backends.installed import to_install
from interp.backends.torch_twins import write_twin
from interp.errors import DataError, NonFiniteError

pytestmark = [pytest.mark.contract]
TEXTS = ["hot -> cold", "big -> small", "hot -> small", "big -> cold", "tall -> short"]


@pytest.fixture
def folder(tmp_path):
    """A tiny Llama."""
    return write_twin("llama", tmp_path / "twin")


@pytest.fixture
def loaded(folder, pytestconfig):
    """Loads it with the backend of the session."""
    backend = pytestconfig.getoption("--backend") or "torch"
    if command := to_install(backend):
        pytest.skip(f"the {backend} backend is not installed; {command}")
    return lambda: load(str(folder), backend=backend)


def with_weight(folder, change):
    """Write the weights with the first block's up projection changed."""
    file, name = folder / "model.safetensors", "model.layers.0.mlp.up_proj.weight"
    weights = {key: np.array(value) for key, value in load_file(file).items()}
    changed = {**weights, name: change(weights[name])}
    kept = {key: value for key, value in changed.items() if value is not None}
    save_file(kept, file, metadata={"format": "pt"})


def test_a_weight_that_is_missing(folder, loaded):
    with_weight(folder, lambda _: None)
    with pytest.raises(DataError, match="not those of this config"):
        loaded()


def test_a_weight_that_is_no_number(folder, loaded):
    with_weight(folder, lambda weight: np.where(weight == weight.max(), np.nan, weight))
    with pytest.raises(NonFiniteError, match="weight is NaN"):
        loaded()


def test_generation_ends_with_the_end_token_and_goes_on_in_other_rows(folder, loaded):
    endless = generate(loaded(), TEXTS, max_new_tokens=8).new_ids
    settings = folder / "generation_config.json"
    end = endless[0][2]
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "eos_token_id": end}))
    ended = generate(loaded(), TEXTS, max_new_tokens=8).new_ids
    assert ended == tuple(row[: row.index(end) + 1] if end in row else row for row in endless)
    assert len({len(row) for row in ended}) > 1
