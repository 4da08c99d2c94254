"""Wiring: the plugin, also where the package is not installed, and pytest's own test helper."""

import pytest

from interp import plugin

pytest_plugins = ["pytester"]


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Load the plugin where no entry point has done so: a checkout that is not installed."""
    if not pluginmanager.is_registered(plugin) and not pluginmanager.is_blocked("interp"):
        pluginmanager.register(plugin, "interp")
