"""The one way in which anything is ever installed in an MLX model.

MLX has no hooks. A module in the place of another does nothing where a family's `layers` is a
slice, and `__call__` set on an instance is never looked up; a method set on a class would reach
every model of that class. What is left is to give the one module a class of its own, made from its
class, for the time of a call: names, parameters and `isinstance` stay as they are.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import mlx.core as mx
from mlx import nn

Tap = Callable[[mx.array], mx.array]


@dataclass(frozen=True)
class Place:
    """A tap at a module: on its first input, however that is passed, or on its output.

    One on the whole `call` is given its arguments, before any other tap, and changes nothing.
    """

    module: nn.Module
    tap: Callable[..., Any]
    on: Literal["input", "output", "call"]


@contextmanager
def installed(places: Iterable[Place]) -> Iterator[None]:
    """The taps in force, in the order given at each module; gone afterwards, whatever happens."""
    by_module: dict[int, list[Place]] = {}
    for place in places:
        by_module.setdefault(id(place.module), []).append(place)
    with ExitStack() as stack:
        for own in by_module.values():
            stack.callback(_tapped(own[0].module, own))
        yield


def _tapped(module: nn.Module, places: Sequence[Place]) -> Callable[[], None]:
    """Give the module a class of its own that calls the taps; returns how to take it away."""
    kind: Any = type(module)
    before = [place.tap for place in places if place.on == "input"]
    after = [place.tap for place in places if place.on == "output"]
    told = [place.tap for place in places if place.on == "call"]

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        for tell in told:
            tell(args, kwargs)
        args, kwargs = _with_input(before, args, kwargs)
        return _with_output(after, kind.__call__(self, *args, **kwargs))

    # nn.Module has a __setattr__ of its own, so object's is asked
    own = type(kind.__name__, (kind,), {"__call__": call, "__module__": kind.__module__})
    object.__setattr__(module, "__class__", own)

    def undo() -> None:
        object.__setattr__(module, "__class__", kind)
        for taps in (before, after, told):
            taps.clear()  # a class is garbage that waits: what its taps hold must not wait with it

    return undo


def _with_input(
    taps: Sequence[Tap], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call, the first of them as the taps leave it."""
    if args:
        return (_through(taps, args[0]), *args[1:]), kwargs
    name = next(iter(kwargs))
    return args, {**kwargs, name: _through(taps, kwargs[name])}


def _with_output(taps: Sequence[Tap], output: Any) -> Any:
    """The output of a call, or its first place where it is a tuple, as the taps leave it."""
    if isinstance(output, tuple):
        return (_through(taps, output[0]), *output[1:])
    return _through(taps, output)


def _through(taps: Sequence[Tap], value: mx.array) -> mx.array:
    for tap in taps:
        value = tap(value)
    return value
