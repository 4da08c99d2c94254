"""A fixture for each prompt set: `fixtures/prompts/two_hop.jsonl` is the fixture `two_hop`.

Where the registry says that a model's specs read another set in the place of one (`sets`), that
fixture is of the model under test.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

import pytest

from interp.plugin.hookspecs import LoadedModel
from interp.plugin.recording import RECORDER
from interp.registry import Registry

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


def prompt_fixtures(folder: Path, registry: Registry) -> ModuleType:
    """The fixtures for the prompt sets of a folder, as a plugin to register.

    No file is read here, so that a malformed one fails only the specs that ask for it.

    Raises:
        pytest.UsageError: the name of a file cannot be the name of a fixture, or is taken; or the
            registry replaces a set that there is not.
    """
    plugin = ModuleType("interp_prompt_sets", "Prompt sets as fixtures.")
    replaced = {name for spec in registry.specs.values() for name, _ in spec.sets}
    for path in _files(folder):
        read = _reader_of_a_model(path, registry) if path.stem in replaced else _reader(path)
        setattr(plugin, path.stem, pytest.fixture(scope="session", name=path.stem)(read))
    if unknown := sorted(name for name in replaced if not hasattr(plugin, name)):
        message = f"`sets` in {registry.path} failed: there is no prompt set {unknown[0]!r}."
        raise pytest.UsageError(f"{message}\n  expected: a file of {folder}")
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


def _reader_of_a_model(
    path: Path, registry: Registry
) -> "Callable[[pytest.FixtureRequest, LoadedModel], PromptSet]":
    def read(request: pytest.FixtureRequest, model: LoadedModel) -> "PromptSet":  # noqa: ARG001  of this model, and read anew for the next
        __tracebackhide__ = True
        live = request.config.stash[RECORDER].live
        spec = registry.specs.get(live.id) if live else None
        name = dict(spec.sets).get(path.stem, path.stem) if spec else path.stem
        return _reader(path.with_stem(name))()

    read.__doc__ = f"The prompt set {path.name}, or what the registry puts in its place."
    return read
