"""A fixture for each prompt set: `fixtures/prompts/two_hop.jsonl` is the fixture `two_hop`.

A `.csv` is a table of two-hop questions (`interp.two_hop_tables`). Where the registry says that a
model's specs read another set in the place of one (`sets`), that fixture is of the model under
test; `--prompts NAME=FILE` puts a file in the place of a set for all of them.
"""

from collections.abc import Callable, Iterator, Mapping
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


def prompt_fixtures(folder: Path, registry: Registry, given: Mapping[str, Path]) -> ModuleType:
    """The fixtures for the prompt sets of a folder, as a plugin to register.

    No file is read here, so that a malformed one fails only the specs that ask for it.

    Raises:
        pytest.UsageError: the name of a file cannot be the name of a fixture, or is taken; or the
            registry or the command line replaces a set that there is not.
    """
    plugin = ModuleType("interp_prompt_sets", "Prompt sets as fixtures.")
    replaced = {name for spec in registry.specs.values() for name, _ in spec.sets}
    files = dict(_files(folder))
    for where, names in ((f"`sets` in {registry.path}", replaced), ("--prompts", given)):
        if unknown := sorted({*names} - {*files}):
            message = f"{where} failed: there is no prompt set {unknown[0]!r}."
            raise pytest.UsageError(f"{message}\n  expected: a file of {folder}")
    for name, path in files.items():
        of_a_model = name in replaced and name not in given
        chosen = given.get(name, path)
        read = _reader_of_a_model(path, registry, files) if of_a_model else _reader(chosen)
        setattr(plugin, name, pytest.fixture(scope="session", name=name)(read))
    return plugin


def read_prompts(path: Path) -> "PromptSet":
    """A prompt set of a file: JSON Lines, or a table of two-hop questions.

    Raises:
        DataError: it is not what it must be.
    """
    from interp.prompts import PromptSet  # noqa: PLC0415  numpy, only where prompts are used

    if path.suffix != ".jsonl":
        from interp.two_hop_tables import read_two_hop  # noqa: PLC0415  likewise

        return read_two_hop(path)
    return PromptSet.from_file(path)


def prompt_files(folder: Path) -> list[Path]:
    """The files of prompt sets in a folder, in order."""
    return sorted((*folder.glob("*.jsonl"), *folder.glob("*.csv")))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    known: set[str] = set()
    for path in prompt_files(folder):
        if not path.stem.isidentifier() or path.stem in RESERVED | known:
            rule = "is no name of a fixture" if not path.stem.isidentifier() else "is taken"
            message = (
                f"prompt set {path} failed: {path.stem!r} {rule}.\n"
                "  try:      rename the file; the name of a prompt set is that of its fixture"
            )
            raise pytest.UsageError(message)
        known.add(path.stem)
        yield path.stem, path


def _reader(path: Path) -> "Callable[[], PromptSet]":
    def read() -> "PromptSet":
        __tracebackhide__ = True
        return read_prompts(path)

    read.__doc__ = f"The prompt set {path.name}."
    return read


def _reader_of_a_model(
    path: Path, registry: Registry, files: Mapping[str, Path]
) -> "Callable[[pytest.FixtureRequest, LoadedModel], PromptSet]":
    def read(request: pytest.FixtureRequest, model: LoadedModel) -> "PromptSet":  # noqa: ARG001  of this model, and read anew for the next
        __tracebackhide__ = True
        live = request.config.stash[RECORDER].live
        spec = registry.specs.get(live.id) if live else None
        name = dict(spec.sets).get(path.stem, path.stem) if spec else path.stem
        return read_prompts(files.get(name, path.with_stem(name)))

    read.__doc__ = f"The prompt set {path.name}, or what the registry puts in its place."
    return read
