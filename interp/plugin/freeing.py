"""Giving a model back before the next one is loaded: two at a time may not fit.

pytest tears a session fixture down in the setup of the next test, and keeps the last failure's
frames, with all they refer to, in `sys`.
"""

import ctypes
import gc
import sys
import warnings
import weakref
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from interp.plugin.cases import spec_of, uses_ours
from interp.plugin.recording import Recorder


class ModelNotFreedWarning(pytest.PytestWarning):
    """A model was closed and something still holds it; no number is affected, memory may be."""


@dataclass
class Held:
    """The `model` fixture while it is set up, and a weak reference to its value."""

    id: str
    fixture: pytest.FixtureDef[Any]
    request: Any
    value: weakref.ref[Any]


class Freeing:
    """The hooks that finish the `model` fixture with the last test of its model."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._held: Held | None = None
        self._closed: Held | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: Any
    ) -> Generator[None, Any, Any]:
        """Remember which model is loaded."""
        __tracebackhide__ = True
        value = yield
        if uses_ours({"model": [fixturedef]}, fixturedef.argname):
            with suppress(TypeError):  # a value that cannot be referred to weakly is not watched
                self._held = Held(request.param, fixturedef, request, weakref.ref(value))
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
        """Close the model in the teardown of its own last test."""
        result = yield
        upcoming = None if nextitem is None else spec_of(nextitem)
        held = self._held
        if held is not None and (upcoming is None or upcoming.case.model != held.id):
            self._held, self._closed = None, held
            held.fixture.finish(held.request)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """After the test that closed the model, when its arguments are gone, free the memory."""
        result = yield
        closed, self._closed = self._closed, None
        if closed is not None:
            _forget_last_failure()
            gc.collect()
            holders = _holders(closed.value)
            self._recorder.freed(closed.id, holders)
            if holders:
                _warn(closed.id, holders, item)
            _trim()
        return result


def _forget_last_failure() -> None:
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)


def _holders(value: weakref.ref[Any]) -> list[str]:
    """What still refers to a value, in words; empty when it is gone."""
    alive = value()
    if alive is None:
        return []
    frame = sys._getframe()  # noqa: SLF001  our own frame refers to it too
    found = [_name(one) for one in gc.get_referrers(alive) if one is not frame]
    return sorted({name for name in found if name}) or ["something written in C"]


def _name(holder: object) -> str:
    """A holder by the module it is a variable of, else by its type."""
    if isinstance(holder, dict) and "__name__" in holder:
        return f"a variable of module {holder['__name__']}"
    for name, module in list(sys.modules.items()):
        for variable, value in list(getattr(module, "__dict__", {}).items()):
            if value is holder:
                return f"{name}.{variable}, a {type(holder).__name__}"
    return f"a {type(holder).__name__}"


def _warn(model: str, holders: list[str], item: pytest.Item) -> None:
    """Say so, unless it is filtered, and never raise: nothing that was measured depends on it."""
    warning = ModelNotFreedWarning(
        f"model {model!r} was closed but is held by {', '.join(holders)}"
    )
    try:
        item.warn(warning)
    except ModelNotFreedWarning:  # -W error
        with warnings.catch_warnings():
            warnings.simplefilter("always", ModelNotFreedWarning)
            item.warn(warning)


def _trim() -> None:
    """Have glibc return free memory to the system; other systems do so themselves."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
