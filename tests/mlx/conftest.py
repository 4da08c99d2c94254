"""Tiny models for the MLX backend; without MLX every test here is skipped, with the command."""

import json
from functools import cache

import pytest
import torch

from interp import load
from interp.backends.installed import to_install
from interp.backends.torch_twins import write_twin


@pytest.fixture(scope="session", autouse=True)
def _alone(tmp_path_factory):
    """MLX or a skip; one torch thread, and no record in the user's cache."""
    if command := to_install("mlx"):
        pytest.skip(f"the mlx backend is not installed; {command}")
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def twin(tmp_path_factory):
    """Writes a tiny model of a family with these entries of its config, once."""

    @cache
    def folder(family, config=""):
        where = tmp_path_factory.mktemp(family) / family
        return write_twin(family, where, json.loads(config or "{}"))

    return lambda family, **config: folder(family, json.dumps(config, sort_keys=True))


@pytest.fixture
def on_mlx():
    """Loads folders on MLX, and closes them when the test is over."""
    loaded = []

    def on(folder, **how):
        loaded.append(load(str(folder), backend="mlx", **how))
        return loaded[-1]

    yield on
    for model in loaded:
        model.close()
