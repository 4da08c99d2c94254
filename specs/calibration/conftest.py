"""What several calibrations ask about, and the model they ask: here, elsewhere, in fewer bits."""

import numpy as np
import pytest

from interp import load, rounding
from interp.errors import DataError
from interp.models import on_other_engine, without_other_engine
from interp.tiers import in_tier, without_tiers

ROUNDED = {"gemma3_text": 2e-3, "gpt_neox": 2e-3, "starcoder2": 2e-3}  # by mlx-lm itself


@pytest.fixture(scope="module")
def other(model):
    """The same weights on the other engine."""
    if reason := without_other_engine(model):
        pytest.skip(reason)
    loaded = on_other_engine(model)
    yield loaded
    loaded.close()


@pytest.fixture
def tolerance(model):
    """What rounding is worth, to the model or to mlx-lm."""
    return ROUNDED.get(model.backend.info.family, rounding(model))


@pytest.fixture(scope="module")
def asked(country_capitals, two_hop):
    """Capitals of two continents, and questions of two hops: some of the test split."""
    capitals, hops = (one.only(split="test") for one in (country_capitals, two_hop))
    some = np.isin(capitals.groups, ("Europe", "Asia")) & (np.arange(len(capitals)) % 3 == 0)
    return capitals.where(some), hops.where(np.arange(len(hops)) % 20 == 0)


def rescale(file, change):
    """Change the scales of the last weights of each MLP."""
    from safetensors.numpy import load_file, save_file  # noqa: PLC0415  engines have it

    last, weights = "mlp.down_proj.scales", load_file(file)
    wrong = {key: change(it) if key.endswith(last) else it for key, it in weights.items()}
    save_file(wrong, file, metadata={"format": "mlx"})


@pytest.fixture(scope="module")
def tier(model, tmp_path_factory):
    """Loads the model in a tier; a packed one also with wrong scales, as `change` makes them."""
    if reason := without_tiers(model):
        pytest.skip(reason)

    def loaded(name, change=None):
        folder = tmp_path_factory.mktemp("tier") / model.id
        try:
            whole = in_tier(model, name, folder)
        except DataError as error:
            pytest.skip(str(error))
        if change is None:
            return whole
        whole.close()
        rescale(folder / "model.safetensors", change)
        return load(whole.spec)

    return loaded
