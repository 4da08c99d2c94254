"""What no file of the project may contain, and what every document must keep true."""

import ast
import re

import pytest

# Absolute folders of some machine, and neighbours of the checkout other than the shared data sets.
OF_A_MACHINE = re.compile(r"(?<![\w.-])/(?:work|root|Users)/|/tmp/\w|\.\./shared(?!/datasets)")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")
SHOWN = re.compile(r"`(specs/[\w/]+\.py)`[^\n]*\n+```python\n(.*?)```", re.DOTALL)
CAUGHT = re.compile(r"`((?:specs|tests)/[\w/]+\.py)`\s+`(test_\w+)`")
COMMAND = re.compile(r"^(?:\$ )?make (\w+)", re.MULTILINE)


def texts(root, ours):
    """(path, text) of every file that is text."""
    for path in ours:
        raw = path.read_bytes()
        if b"\0" not in raw:
            yield path.relative_to(root), raw.decode(errors="replace")


@pytest.fixture(scope="module")
def readme(root):
    """The first page."""
    return (root / "README.md").read_text()


def unexplained_skips(source):
    """Lines that skip a test without saying why."""
    tree = ast.parse(source)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "skip" and id(node) not in called:
            lines.append(node.lineno)
        if isinstance(node, ast.Call) and not explains(node):
            lines.append(node.lineno)
    return lines


def explains(call):
    """Whether a call is no skip, or one with a reason."""
    name = ast.unparse(call.func)
    if not re.fullmatch(r"(pytest\.)?(mark\.)?(skip|skipif|importorskip|xfail)", name):
        return True
    said = any(keyword.arg == "reason" for keyword in call.keywords)
    return said or (name.endswith(".skip") and len(call.args) == 1)


def test_no_path_of_a_machine(root, ours):
    found = {
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        for path, text in texts(root, ours)
        for match in OF_A_MACHINE.finditer(text)
    }
    assert found == set()


@pytest.mark.parametrize("part", ["work", "root", "Users"])
def test_a_path_of_a_machine_is_seen(part):
    assert OF_A_MACHINE.search(f'open("/{part}/x")')
    assert OF_A_MACHINE.search(f"see ..{'/shared'}/notes.md")
    assert not OF_A_MACHINE.search(f"../shared/datasets/{part}/x")


def test_every_skip_says_why(root, ours):
    sources = [path for path in ours if path.suffix == ".py"]
    found = {
        f"{path.relative_to(root)}:{line}"
        for path in sources
        for line in unexplained_skips(path.read_text())
    }
    assert found == set()


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("@pytest.mark.skip\ndef test(): ...", [1]),
        ("pytest.skip()", [1]),
        ("pytest.mark.skipif(True)", [1]),
        ("pytest.skip('no GPU here')", []),
        ("pytest.mark.skipif(True, reason='no GPU here')", []),
    ],
)
def test_a_skip_without_a_reason_is_seen(source, lines):
    assert unexplained_skips(source) == lines


def test_the_first_two_commands_are_specs_and_test(readme, root):
    targets = re.findall(r"^(\w+):", (root / "Makefile").read_text(), re.MULTILINE)
    commands = COMMAND.findall(readme)
    assert commands[:2] == ["specs", "test"]
    assert set(commands) <= set(targets)


def test_the_spec_on_the_first_page_is_the_file(readme, root):
    shown = SHOWN.findall(readme)
    assert shown
    for name, text in shown:
        assert text == (root / name).read_text()


def test_links_between_documents_lead_somewhere(ours):
    pages = [path for path in ours if path.suffix == ".md"]
    links = [(page, target) for page in pages for target in LINK.findall(page.read_text())]
    assert [f"{page.name}: {to}" for page, to in links if not (page.parent / to).exists()] == []


def test_every_mended_bug_names_a_spec_that_exists(root):
    page = (root / "BUGFIX.md").read_text()
    named = CAUGHT.findall(page)
    assert len(named) >= page.count("**Now caught by:**") > 0
    assert [one for one in named if f"def {one[1]}(" not in (root / one[0]).read_text()] == []
