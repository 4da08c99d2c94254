"""The means that sweeps are given from around them: memory, and a place for what is finished."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Means:
    """How many bytes a sweep may take, and the folder where its finished parts are kept.

    Without `memory` a sweep takes a share of what is free; without `kept` it keeps nothing.
    """

    memory: int | None = None
    kept: Path | None = None


_MEANS: ContextVar[Means] = ContextVar("means", default=Means())  # noqa: B039  it is frozen


def means() -> Means:
    """What the sweeps of this thread are given."""
    return _MEANS.get()


@contextmanager
def given(these: Means) -> Iterator[None]:
    """Let every sweep of this thread have these means; others within take over until they end."""
    token = _MEANS.set(these)
    try:
        yield
    finally:
        _MEANS.reset(token)
