"""The project that a command is called in: its registry, and what its ini file says of ours."""

import configparser
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from interp.errors import DataError

# Those of the first kind count also when they say nothing, as they do for pytest.
OWN: Final = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
INI: Final = {
    "pytest.ini": "pytest",
    ".pytest.ini": "pytest",
    "tox.ini": "pytest",
    "setup.cfg": "tool:pytest",
}
FILES: Final = (*OWN, "pyproject.toml", "tox.ini", "setup.cfg")


def find_registry(start: Path) -> Path:
    """The `fixtures/models.toml` of `start` or of the nearest folder above it.

    Where the ini file of pytest names another one (`interp_models`), that.

    Raises:
        DataError: there is none.
    """
    if (named := ini_path(start, "interp_models")) is not None:
        return named
    for folder in (start, *start.parents):
        if (found := folder / "fixtures" / "models.toml").is_file():
            return found
    raise DataError(
        "there is no registry of models",
        expected="fixtures/models.toml in this folder or above it",
        where=str(start),
        hint="change to the folder that holds fixtures/, or name a model by its folder",
    )


def ini_path(start: Path, name: str, default: str | None = None) -> Path | None:
    """The path that a setting names in the nearest ini file of pytest, below that file's folder.

    None where there is no such file, or where it is silent and there is no default.

    Raises:
        DataError: the file cannot be read.
    """
    for folder in (start, *start.parents):
        for file in FILES:
            path = folder / file
            if path.is_file() and (said := _settings(path)) is not None:
                given = said.get(name, default)
                return None if given is None else folder / str(given)
    return None


def _settings(path: Path) -> Mapping[str, object] | None:
    """What a file says to pytest; None if it is not addressed to pytest."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.name in INI:
            parser = configparser.RawConfigParser(strict=False)
            parser.read_string(text)
            return dict(parser).get(INI[path.name], {} if path.name in OWN else None)
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, configparser.Error, tomllib.TOMLDecodeError) as error:
        raise DataError(
            "this ini file of pytest cannot be read", received=error, where=str(path)
        ) from None
    if path.name in OWN:
        return dict(tables.get("pytest", {}))
    of_pytest = tables.get("tool", {}).get("pytest")
    return None if of_pytest is None else {**of_pytest, **of_pytest.get("ini_options", {})}
