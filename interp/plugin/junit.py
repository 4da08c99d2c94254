"""What `--junitxml` holds of a run: the values of each test, and what the whole run was."""

import platform
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest

from interp.plugin.setting import SETTING, Setting
from interp.reports.baselines import Reference, reference_of
from interp.reports.comparable import best_match
from interp.reports.manifest import versions
from interp.reports.record import End
from interp.reports.summary import word_for
from interp.reports.values import Scalar, Value

MOST: Final = 50  # properties of one test: whoever wants more reads the journal
LEFT_OUT: Final = "interp.values_left_out"
HERE: Final = {"machine": platform.machine()}
PARTS: Final = ("low", "high", "n", "noise", "published")


class RunFacts:
    """The hook of the controller: properties of a worker's suite would be lost."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Tell the file what ran, before pytest writes it."""
        setting = self._config.stash[SETTING]
        if not setting.ours or setting.options.junit == "none":
            return
        for file in _junit_files(self._config):
            for name, fact in _facts(setting):
                file.add_global_property(f"interp.{name}", fact)


def properties(
    values: Sequence[Value], end: End, accepted: Sequence[Reference] = ()
) -> Iterator[tuple[str, Scalar]]:
    """A test's verdict and its values beside the accepted ones, as many of them as fit whole."""
    yield "interp.verdict", word_for(end)
    known: dict[object, list[Reference]] = {}
    for one in accepted:
        known.setdefault(one.what, []).append(one)
    room = MOST - 2  # the verdict, and the line for what is left out
    for place, value in enumerate(values):
        mine = reference_of(value, params=end.case.params, manifest=HERE)
        parts = list(_parts(value, best_match(mine, known.get(mine.what, []))))
        if len(parts) > room:
            yield LEFT_OUT, len(values) - place
            return
        room -= len(parts)
        yield from parts


def _parts(value: Value, accepted: Reference | None) -> Iterator[tuple[str, Scalar]]:
    yield f"interp.{value.name}", value.value
    if accepted is not None:
        yield f"interp.{value.name}.baseline", accepted.value
    for part in PARTS:
        if (known := getattr(value, part)) is not None:
            yield f"interp.{value.name}.{part}", known
    if value.unit != "1":
        yield f"interp.{value.name}.unit", value.unit


def _facts(setting: Setting) -> Iterator[tuple[str, str]]:
    """What a reader of the file needs in order to find the run, and to make it again."""
    yield "run", setting.run.name
    yield "models", ",".join(one.spec.id for one in setting.selection.chosen)
    yield "profile", setting.options.profile
    yield "gate", str(setting.options.gate).lower()
    found = {"python": platform.python_version(), **versions()}
    yield from ((f"version.{name}", version) for name, version in found.items())


def _junit_files(config: pytest.Config) -> list[Any]:
    """The writer of the file, if there is one; pytest gives it no public name."""
    plugins = config.pluginmanager.get_plugins()
    return [one for one in plugins if callable(getattr(one, "add_global_property", None))]
