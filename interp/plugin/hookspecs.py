"""Hooks that a project can implement in its own conftest."""

from collections.abc import Mapping
from typing import Protocol

import pytest

from interp.registry import ModelSpec
from interp.reports.values import Scalar


class LoadedModel(Protocol):
    """What the `model` fixture gives, as far as the plugin itself uses it."""

    def identity(self) -> Mapping[str, Scalar | None]:
        """What its values are recorded with: at least `id`."""
        ...

    def close(self) -> None:
        """Drop the weights."""
        ...


@pytest.hookspec(firstresult=True)
def pytest_interp_load_model(spec: ModelSpec) -> LoadedModel | None:
    """Load a model; the first answer counts, and without one `interp.models.load` gives it."""
