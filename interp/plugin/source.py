"""The code that a value was measured by, as a hash: shown where a number moved, decides nothing."""

import ast
import hashlib
from functools import lru_cache
from pathlib import Path

import pytest

HASH = pytest.StashKey[str | None]()


def spec_hash(item: pytest.Function) -> str | None:
    """sha256 of the spec's module without its other tests; None where there is no source.

    So it covers the test with its markers, its docstring, and every fixture, helper, constant and
    import of its own module, and moves with none of its neighbours. What a `conftest.py` or the
    library holds is not in it: the version of the library and the git commit are in the manifest.
    """
    if HASH not in item.stash:
        item.stash[HASH] = _hash_of(item.path, item.originalname)
    return item.stash[HASH]


def _hash_of(path: Path, name: str) -> str | None:
    try:
        return hashed(path.read_text(encoding="utf-8"), name)
    except (OSError, ValueError, SyntaxError):
        return None


@lru_cache(maxsize=256)
def hashed(source: str, name: str) -> str:
    """sha256 of a module's text without the tests that have another name.

    The text is taken as it stands: what Python makes of it differs from version to version.
    """
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_other(node.name, name):
            first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
            last = node.end_lineno or node.lineno
            lines[first - 1 : last] = [""] * (last - first + 1)
    kept = "\n".join(line.rstrip() for line in lines if line.strip())
    return hashlib.sha256(kept.encode()).hexdigest()


def _is_other(function: str, name: str) -> bool:
    return function.startswith("test") and function != name
