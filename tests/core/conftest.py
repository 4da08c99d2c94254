"""Tiny random models of every family, loaded and verified once."""

from functools import cache
from pathlib import Path

import pytest
import torch

from interp.backends.torch_twins import FAMILIES, write_twin
from interp.models import load
from interp.registry import ModelSpec


@pytest.fixture(scope="session", autouse=True)
def _alone(tmp_path_factory):
    """One thread, which tiny matrices are fastest on, and no record in the user's cache."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """A checkpoint folder of a family, built once."""

    @cache
    def folder(family):
        return write_twin(family, tmp_path_factory.mktemp(family) / family)

    return folder


@pytest.fixture(scope="session")
def tiny(folder_of):
    """A loaded tiny model of a family, verified once."""

    @cache
    def loaded(family):
        return load(ModelSpec(f"tiny-{family}", str(folder_of(family)), is_local=True))

    return loaded


@pytest.fixture(params=FAMILIES)
def any_model(request, tiny):
    """One tiny model of each family."""
    return tiny(request.param)


@pytest.fixture
def llama(tiny):
    """The tiny Llama."""
    return tiny("llama")


@pytest.fixture
def llama_copy(folder_of, tmp_path):
    """A copy of the tiny Llama's folder, to be damaged."""
    copy = tmp_path / "llama"
    copy.mkdir()
    for file in Path(folder_of("llama")).iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy
