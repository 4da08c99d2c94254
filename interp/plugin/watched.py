"""What the runs of a spec did, from its fixtures to its last line: what its verdict rests on.

And what its sweeps are given: memory, and a folder for what is finished until the case is over.
"""

import hashlib
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from interp.means import Means, given
from interp.plugin.cases import spec_of
from interp.plugin.redacting import REDACTOR
from interp.plugin.setting import SETTING

KEPT: Final = "kept"  # in the folder of the run
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
    with watching(watch), given(_means(item)):
        return (yield)


def forget(item: pytest.Item) -> None:
    """A case is over: nobody will go on with its sweeps."""
    if (kept := _means(item).kept) is not None:
        shutil.rmtree(kept, ignore_errors=True)


def _means(item: pytest.Item) -> Means:
    """The memory that was asked for; and a place for finished parts, unless prompts are secret."""
    setting = item.config.stash[SETTING]
    redacts = setting.options.redact  # a state says what was read
    name = hashlib.sha256(item.nodeid.encode()).hexdigest()[:16]
    return Means(setting.options.memory, None if redacts else Path(setting.run) / KEPT / name)


def uses_of(item: pytest.Item) -> tuple[str, ...]:
    """The verbs and sites of its runs so far, as words that contracts speak for."""
    watch = item.stash.get(WATCH, None)
    return watch.words if watch else ()


def prompts_of(item: pytest.Item) -> list[dict[str, object]]:
    """The prompt sets of its runs so far, with the digests of their words and token ids."""
    watch = item.stash.get(WATCH, None)
    return watch.prompt_sets() if watch else []


def sweeps_of(item: pytest.Item) -> tuple[str, ...]:
    """How its sweeps so far were computed."""
    watch = item.stash.get(WATCH, None)
    return tuple(sorted(watch.sweeps)) if watch else ()


def ledger_of(item: pytest.Item) -> list[dict[str, object]]:
    """The edits of its runs so far, those of one kind together."""
    watch = item.stash.get(WATCH, None)
    return watch.summary() if watch else []
