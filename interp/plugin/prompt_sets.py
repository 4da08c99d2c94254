"""A fixture for each prompt set: `fixtures/prompts/two_hop.jsonl` is the fixture `two_hop`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from interp.prompts import PromptSet

RESERVED: Final = frozenset(
    """
    model measured drawn profile request cache capfd capfdbinary caplog capsys capsysbinary
    capteesys doctest_namespace monkeypatch pytestconfig record_property record_testsuite_property
    record_xml_attribute recwarn subtests tmp_path tmp_path_factory tmpdir tmpdir_factory
    pytester worker_id testrun_uid
    """.split()  # noqa: SIM905  a list of words reads better without quotes
)


def prompt_fixtures(folder: Path) -> ModuleType:
    """The fixtures for the prompt sets of a folder, as a plugin to register.

    No file is read here, so that a malformed one fails only the specs that ask for it.

    Raises:
        pytest.UsageError: the name of a file cannot be the name of a fixture, or is taken.
    """
    plugin = ModuleType("interp_prompt_sets", "Prompt sets as fixtures.")
    for path in _files(folder):
        setattr(plugin, path.stem, pytest.fixture(scope="session", name=path.stem)(_reader(path)))
    return plugin


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("*.jsonl")):
        if not path.stem.isidentifier() or path.stem in RESERVED:
            rule = "is taken" if path.stem in RESERVED else "is no name of a fixture"
            message = (
                f"prompt set {path} failed: {path.stem!r} {rule}.\n"
                "  try:      rename the file; the name of a prompt set is that of its fixture"
            )
            raise pytest.UsageError(message)
        yield path


def _reader(path: Path) -> "Callable[[], PromptSet]":
    def read() -> "PromptSet":
        __tracebackhide__ = True
        from interp.prompts import PromptSet  # noqa: PLC0415  numpy, only where prompts are used

        return PromptSet.from_file(path)

    read.__doc__ = f"The prompt set {path.name}."
    return read
