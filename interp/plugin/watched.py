"""What the runs of a spec did, from its fixtures to its last line: what its verdict rests on."""

from collections.abc import Generator
from typing import Any

import pytest

from interp.plugin.cases import spec_of
from interp.plugin.redacting import REDACTOR

WATCH = pytest.StashKey[Any]()  # an interp.ledger.Watch, imported once a spec runs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Watch the runs of the spec's fixtures."""
    __tracebackhide__ = True
    return (yield from _watched(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Watch the runs of its body."""
    __tracebackhide__ = True
    return (yield from _watched(item))


def _watched(item: pytest.Item) -> Generator[None, Any, Any]:
    __tracebackhide__ = True
    if spec_of(item) is None:
        return (yield)
    from interp.ledger import Watch, watching  # noqa: PLC0415  numpy, once a spec runs

    watch = item.stash.setdefault(WATCH, Watch())
    if (redactor := item.config.stash[REDACTOR]) is not None:
        redactor.watch = watch
    with watching(watch):
        return (yield)


def uses_of(item: pytest.Item) -> tuple[str, ...]:
    """The verbs and sites of its runs so far, as words that contracts speak for."""
    watch = item.stash.get(WATCH, None)
    return watch.words if watch else ()


def prompts_of(item: pytest.Item) -> list[dict[str, object]]:
    """The prompt sets of its runs so far, with the digests of their words and token ids."""
    watch = item.stash.get(WATCH, None)
    return watch.prompt_sets() if watch else []


def ledger_of(item: pytest.Item) -> list[dict[str, object]]:
    """The edits of its runs so far, those of one kind together."""
    watch = item.stash.get(WATCH, None)
    return watch.summary() if watch else []
