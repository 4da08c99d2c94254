"""docs/codi-documents.md against the specs: every counterpart exists, and none is left out."""

import ast
import re
import tomllib

import pytest

PAGE = "docs/codi-documents.md"
QUOTED = re.compile(r"`([^`]+)`")
COLUMNS = 5
DOCUMENTS = ("s000.", "s001.", "s002.")
ITEMS = {"GPT-2": ("table", 4, "figure", 4), "LLaMA-3.2-1B": ("table", 3), "LLaMA vs": ("table", 3)}


def rows(page):
    """(heading, cells) of every line of the tables of five columns."""
    found, heading = [], ""
    for line in page.splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == COLUMNS and QUOTED.search(cells[1]):
            found.append((heading, cells))
    return found


def calls(tree, name):
    """The calls of a function or a mark of that name."""
    each = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [one for one in each if ast.unparse(one.func).split(".")[-1] == name]


def first_words(tree, name):
    """What those calls are given first, where it is a text."""
    given = (one.args[0] for one in calls(tree, name) if one.args)
    return {one.value for one in given if isinstance(one, ast.Constant)}


@pytest.fixture(scope="module")
def table(root):
    return rows((root / PAGE).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def findings(root):
    """The figures that are drawn in the file of each finding."""
    trees = [
        ast.parse(path.read_text()) for path in (root / "specs/findings").glob("test_codi_*.py")
    ]
    return {
        name: first_words(tree, "drawn") for tree in trees for name in first_words(tree, "finding")
    }


@pytest.fixture(scope="module")
def published(root):
    known = tomllib.loads((root / "reports/published.toml").read_text(encoding="utf-8"))
    return {name for name in known if name.startswith(DOCUMENTS)}


def test_the_page_names_every_finding_and_no_other(table, findings):
    named = {name for _, cells in table for name in QUOTED.findall(cells[1])}
    assert named == findings.keys()


def test_every_figure_is_drawn_where_the_page_says(table, findings):
    wrong = [
        (finding, figure)
        for _, cells in table
        for finding in QUOTED.findall(cells[1])
        for figure in QUOTED.findall(cells[2])
        if figure not in findings.get(finding, ())
    ]
    assert wrong == []


def test_every_published_value_of_the_documents_has_a_place(table, published):
    prefixes = {prefix for _, cells in table for prefix in QUOTED.findall(cells[3])}
    assert {name for name in published if not name.startswith(tuple(prefixes))} == set()
    assert {one for one in prefixes if not any(name.startswith(one) for name in published)} == set()


@pytest.mark.parametrize("document", ITEMS)
def test_each_document_has_its_tables_and_figures(table, document):
    kinds = [cells[0].split()[0].strip(":") for head, cells in table if head.startswith(document)]
    for kind, n in zip(ITEMS[document][::2], ITEMS[document][1::2], strict=True):
        assert sum(one.startswith(kind) for one in kinds) == n


def test_a_figure_that_nobody_draws_would_show():
    page = "## GPT-2\n| a | b | c | d | e |\n|---|---|---|---|---|\n| x | `f.g` | `h` | | |\n"
    assert rows(page) == [("GPT-2", ["x", "`f.g`", "`h`", "", ""])]
    assert first_words(
        ast.parse('drawn("h", 1)\n@pytest.mark.finding("f.g")\ndef f(): ...'), "drawn"
    ) == {"h"}
