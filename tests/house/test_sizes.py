"""How large things may be, where ruff cannot count it. The limits are in [tool.interp.sizes]."""

import ast
import importlib
import statistics
import tomllib

import pytest


def code_lines(source, node):
    """Lines of a function's body that hold code: no docstring, no comments, no blanks."""
    documented = ast.get_docstring(node, clean=False) is not None
    body = node.body[1:] if documented else node.body
    if not body:
        return 0
    lines = source.splitlines()[body[0].lineno - 1 : node.end_lineno]
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)


def nodes(source, *kinds):
    """The functions or classes of a source text."""
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


def functions(source):
    """(name, code lines) of every function and method."""
    found = nodes(source, ast.FunctionDef, ast.AsyncFunctionDef)
    return [(node.name, code_lines(source, node)) for node in found]


def classes(source):
    """(name, lines) of every class, docstring and blanks included."""
    found = nodes(source, ast.ClassDef)
    return [(node.name, node.end_lineno - node.lineno + 1) for node in found]


def spec_tests(source):
    """(name, code lines) of every test function."""
    return [(name, size) for name, size in functions(source) if name.startswith("test_")]


def whole(source):
    """The one measurement of a file as such."""
    return [("lines", len(source.splitlines()))]


def registry_entries(source):
    """(id, lines) of every table of a registry file, blank lines not counted."""
    tables = {}
    for line in source.splitlines():
        if line.startswith("["):
            tables[line.strip('[]" ')] = 0
        if line.strip() and tables:
            tables[next(reversed(tables))] += 1
    return list(tables.items())


def too_long(measure, source, limit):
    """What `measure` finds in a text above the limit, as one line each."""
    return [f"{name}: {size} > {limit}" for name, size in measure(source) if size > limit]


def is_spec(relative):
    return relative.parts[0] == "specs" and relative.name.startswith("test_")


RULES = {
    "module_lines": (whole, lambda path: path.suffix == ".py" and not is_spec(path)),
    "spec_lines": (whole, is_spec),
    "spec_test_lines": (spec_tests, is_spec),
    "class_lines": (classes, lambda path: path.suffix == ".py"),
    "conftest_lines": (whole, lambda path: path.name == "conftest.py"),
    "registry_entry_lines": (registry_entries, lambda path: path.name == "models.toml"),
}
TOO_LONG = {
    "module_lines": "x = 1\n" * 301,
    "spec_lines": "x = 1\n" * 81,
    "spec_test_lines": "def test_x():\n" + "    x = 1\n" * 13,
    "class_lines": "class X:\n" + "    x = 1\n" * 150,
    "conftest_lines": "x = 1\n" * 101,
    "registry_entry_lines": "[a]\nx = 1\n\n[b]\n" + "".join(f"x{i} = 1\n" for i in range(12)),
}
AT_THE_LIMIT = {
    "module_lines": "x = 1\n" * 300,
    "spec_lines": "x = 1\n" * 80,
    "spec_test_lines": 'def test_x():\n    """Say."""\n\n    # why\n' + "    x = 1\n" * 12,
    "class_lines": "class X:\n" + "    x = 1\n" * 149,
    "conftest_lines": "x = 1\n" * 100,
    "registry_entry_lines": "[a]\n" + "".join(f"x{i} = 1\n" for i in range(11)),
}


@pytest.mark.parametrize("rule", RULES)
def test_nothing_is_longer_than_its_limit(rule, root, ours, project):
    measure, concerns = RULES[rule]
    limit = project["tool"]["interp"]["sizes"][rule]
    concerned = [path for path in ours if concerns(path.relative_to(root))]
    found = {
        str(path.relative_to(root)): offenders
        for path in concerned
        if (offenders := too_long(measure, path.read_text(), limit))
    }
    assert concerned
    assert found == {}


@pytest.mark.parametrize("rule", RULES)
def test_a_limit_catches_one_line_more_and_nothing_less(rule, project):
    measure, limit = RULES[rule][0], project["tool"]["interp"]["sizes"][rule]
    assert len(too_long(measure, TOO_LONG[rule], limit)) == 1
    assert too_long(measure, AT_THE_LIMIT[rule], limit) == []


def test_functions_of_the_library_are_short(root, project):
    sources = [path.read_text() for path in (root / "interp").rglob("*.py")]
    sizes = [size for source in sources for _, size in functions(source)]
    limits = project["tool"]["interp"]["sizes"]
    assert statistics.median(sizes) <= limits["function_median"]
    assert statistics.quantiles(sizes, n=10)[-1] <= limits["function_p90"]


def test_the_public_words_are_few_and_sorted(project):
    words = importlib.import_module("interp").__all__
    assert len(words) <= project["tool"]["interp"]["sizes"]["public_words"]
    assert list(words) == sorted(words)


def test_every_limit_has_a_rule(project):
    special = {"function_median", "function_p90", "public_words"}
    assert set(project["tool"]["interp"]["sizes"]) == set(RULES) | special


def test_registry_entries_are_those_that_toml_sees(root):
    source = (root / "fixtures" / "models.toml").read_text()
    assert {name for name, _ in registry_entries(source)} == set(tomllib.loads(source))
