"""A bug as a value: its name, where it was met, and what it replaces in the installed code."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from typing import Any

from interp.errors import DataError

Plant = Callable[[], AbstractContextManager[None]]
Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Mutant:
    """One known bug; `origin` says in one line where it was met, `plant` is in force in a with.

    `needs` names the backend without which there is nothing to plant it in, `on` the models it can
    show on, where these are not the usual ones.
    """

    name: str
    origin: str
    plant: Plant
    needs: str = ""
    on: tuple[str, ...] = ()


def replaced(target: str, change: Change) -> Plant:
    """A function, method or property of ours replaced by `change(original)`, wherever it is bound.

    Args:
        target: "module:name" or "module:Class.name".
        change: from the original to what takes its place; of a property it gets the getter.
    """
    return partial(_replacing, target, change)


def both(*plants: Plant) -> Plant:
    """Several replacements that make one bug."""
    return partial(_all_of, plants)


@contextmanager
def _all_of(plants: tuple[Plant, ...]) -> Iterator[None]:
    with ExitStack() as stack:
        for plant in plants:
            stack.enter_context(plant())
        yield


@contextmanager
def _replacing(target: str, change: Change) -> Iterator[None]:
    owner, name = _found(target)
    original = vars(owner)[name]
    planted = _changed(original, change)
    _bind(owner, name, original, planted)
    try:
        yield
    finally:
        _bind(owner, name, planted, original)


def _found(target: str) -> tuple[Any, str]:
    """What holds the name: a module or a class.

    Raises:
        DataError: nothing of that name is there any more.
    """
    module, _, path = target.partition(":")
    *classes, name = path.split(".")
    owner: Any = import_module(module)
    for one in classes:
        owner = getattr(owner, one, None)
    if name not in vars(owner or object):
        raise DataError(
            "a bug can be planted only in code that exists",
            asked=f"replaced({target!r})",
            hint="name the code that does it now",
        )
    return owner, name


def _changed(original: Any, change: Change) -> Any:
    if isinstance(original, property):
        return property(change(original.fget))
    if isinstance(original, cached_property):
        again: cached_property[Any] = cached_property(change(original.func))
        again.__set_name__(type(None), original.attrname or "")
        return again
    if isinstance(original, (classmethod, staticmethod)):
        return type(original)(change(original.__func__))
    return change(original)


def _bind(owner: Any, name: str, old: Any, new: Any) -> None:
    """Put `new` in the place of `old`, also in the modules that imported it by name."""
    setattr(owner, name, new)
    if isinstance(owner, type):
        return
    for module in [known for key, known in sys.modules.items() if key.split(".")[0] == "interp"]:
        for key in [key for key, value in vars(module).items() if value is old]:
            setattr(module, key, new)
