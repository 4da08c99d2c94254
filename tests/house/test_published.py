"""The values of papers in reports/published.toml: complete, distinct, named correctly by specs."""

import ast
import math
import tomllib

import pytest

REQUIRED = {"source", "model", "metric", "value", "unit", "status", "comparable"}
OPTIONAL = {"n", "low", "high", "margin", "null", "reference", "note", "parameters"}
STATUS = {"read", "claimed", "computed", "third-party", "recalled"}
COMPARABLE = {"value", "direction", "no"}


@pytest.fixture(scope="module")
def published(root):
    """All entries by id; TOML itself refuses an id that stands twice."""
    return tomllib.loads((root / "reports" / "published.toml").read_text())


def ids_named(source):
    """The ids that `measured(..., published="id")` names in a text."""
    return [
        keyword.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "published" and isinstance(keyword.value, ast.Constant)
    ]


def faults(entry):
    """What is wrong with one entry, in words."""
    checks = {
        "a key is missing": entry.keys() >= REQUIRED,
        "a key is unknown": entry.keys() <= REQUIRED | OPTIONAL,
        "no such status": entry.get("status") in STATUS,
        "no such comparability": entry.get("comparable") in COMPARABLE,
        "not a number": math.isfinite(entry.get("value", math.nan)),
        "outside its interval": entry.get("low", -math.inf)
        <= entry.get("value", math.nan)
        <= entry.get("high", math.inf),
        "an interval has two ends": ("low" in entry) == ("high" in entry),
        "n is at least 1": entry.get("n", 1) >= 1,
        "no reason given": entry.get("comparable") != "no" or bool(entry.get("note")),
    }
    return [fault for fault, fine in checks.items() if not fine]


def test_every_entry_is_complete(published):
    assert published
    assert {name: found for name, entry in published.items() if (found := faults(entry))} == {}


def test_a_broken_entry_is_seen():
    broken = {"value": math.nan, "status": "guessed", "low": 0.1, "colour": "red"}
    assert len(faults(broken)) == 7


def test_an_id_twice_is_refused():
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads('["a.b"]\nvalue = 1\n["a.b"]\nvalue = 2\n')


def test_specs_name_only_values_that_exist(root, published):
    specs = [path.read_text() for path in (root / "specs").rglob("*.py")]
    named = {name for source in specs for name in ids_named(source)}
    assert named <= published.keys()
    assert {published[name]["status"] for name in named}.isdisjoint({"recalled"})


def test_an_id_in_a_spec_is_seen():
    assert ids_named('measured("x", y, published="a.b")') == ["a.b"]
