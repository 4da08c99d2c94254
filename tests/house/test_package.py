"""What is installed: its weight when imported, its entry points, the files of its wheel."""

import ast
import re
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points

import pytest

NAME = re.compile(r"[\w-]+")
HEAVY = ("torch", "transformers", "pandas", "scipy", "matplotlib", "huggingface_hub")


def imported_by(module):
    """Which heavy libraries a fresh Python holds after importing a module."""
    code = f"import sys, {module}; print(*(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def pins(path):
    """The versions a constraints file fixes, by name."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def imported(source):
    """The top-level names of everything a text imports from others."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"interp"}


def names(requirements):
    """Requirements without their versions."""
    return {NAME.match(one)[0] for one in requirements}


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """The wheel as it would be uploaded, opened."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as opened:
        yield opened


@pytest.mark.parametrize("module", ["interp", "interp.plugin", "interp.cli"])
def test_importing_costs_nothing_heavy(module):
    assert imported_by(module) == set()


def test_a_heavy_import_is_seen():
    assert imported_by("pandas") == {"pandas"}


@pytest.mark.parametrize("group", ["console_scripts", "pytest11"])
def test_entry_points_load(group):
    (found,) = entry_points(group=group, name="interp")
    assert found.load() is not None


def test_the_wheel_is_typed_and_brings_the_contracts(wheel, root):
    names = set(wheel.namelist())
    assert "interp/py.typed" in names
    contracts = (root / "specs" / "contracts").glob("*.py")
    assert {f"interp/contracts/{path.name}" for path in contracts} <= names


def test_the_wheel_brings_the_parts_of_the_page(wheel):
    parts = ("page.html", "parts.html", "page.css", "page.js")
    assert {f"interp/reports/page/{part}" for part in parts} <= set(wheel.namelist())


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"interp"}
    assert not [name for name in wheel.namelist() if name.endswith((".safetensors", ".bin"))]


def test_everything_we_ask_for_is_pinned(root, project):
    extras = project["project"]["optional-dependencies"].values()
    asked = names(sum(extras, project["project"]["dependencies"]))
    assert asked - {"interp-specs"} <= pins(root / "constraints.txt").keys()


def test_everything_we_import_is_asked_for(root, project):
    asked = names(project["project"]["dependencies"])
    optional = {"torch", "transformers", "tokenizers", "mlx", "mlx_lm", "xdist"}
    used = {name for path in (root / "interp").rglob("*.py") for name in imported(path.read_text())}
    assert used - optional <= asked


def test_an_import_is_seen():
    assert imported("import os, a.b\nfrom c.d import e\ndef f():\n    import g") == {"a", "c", "g"}


def test_the_oldest_versions_are_within_what_we_claim(root, project):
    (asked,) = (
        name
        for name in project["project"]["optional-dependencies"]["torch"]
        if name.startswith("transformers")
    )
    oldest = pins(root / ".ci" / "oldest.txt")["transformers"]
    assert asked.startswith(f"transformers>={oldest.rpartition('.')[0]},")


def test_the_version_is_the_same_wherever_it_stands(root, project):
    cited = re.search(r"^version: (.+)$", (root / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited[1] == project["project"]["version"]
