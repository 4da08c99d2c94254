"""The residual stream between attention and MLP, the same for every engine."""

from collections.abc import Callable
from typing import Any

Array = Any  # an engine's own array type


class Between:
    """The residual stream between attention and MLP, which no module of its own produces.

    It is what entered the layer plus what attention adds; setting it moves what attention adds by
    the same amount, so that an unchanged value leaves the model bit for bit as it was.
    """

    def __init__(self, tap: Callable[[Array], Array]) -> None:
        """Remember what wants to see the value."""
        self._tap = tap
        self._entered: Array

    def before(self, entered: Array) -> Array:
        """Called with the layer's input."""
        self._entered = entered
        return entered

    def added(self, added: Array) -> Array:
        """Called with what attention adds."""
        middle = self._entered + added
        return added + (self._tap(middle) - middle)
