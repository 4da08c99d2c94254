"""How a model is loaded when the project has no way of its own."""

import pytest

from interp.plugin.hookspecs import LoadedModel
from interp.registry import ModelSpec


@pytest.hookimpl(trylast=True)
def pytest_interp_load_model(spec: ModelSpec) -> LoadedModel:
    """Load it with the library."""
    from interp.models import load  # noqa: PLC0415  the backends take seconds to import

    return load(spec)
