"""In a project that is not ours the plugin imports nothing heavy, says nothing, writes nothing."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "pandas", "matplotlib", "numpy", "scipy", "transformers", "huggingface_hub")
FOREIGN = """
import pytest

@pytest.fixture
def model():
    return "a model of their own"

@pytest.mark.contract
def test_their_contract(model):
    assert model == "a model of their own"

@pytest.mark.parametrize("model", ["saloon", "coupe"])
def test_their_parameter(model):
    assert model in {"saloon", "coupe"}
"""


def test_a_foreign_project_is_left_alone(pytester, project):
    pytester.makepyfile(FOREIGN)
    before = sorted(path.name for path in pytester.path.iterdir())
    result = project.run("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)
    assert "interp:" not in result.stdout.str()
    assert "exit" not in result.stdout.str()
    after = sorted(path.name for path in pytester.path.iterdir() if path.name != "__pycache__")
    assert after == before


def test_a_foreign_parameter_that_is_called_model_is_no_fixture_of_ours(pytester, project):
    project.models("llama-a")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("engine, model", [("v8", "saloon"), ("v6", "coupe")])
        def test_cars(engine, model):
            assert model in {"saloon", "coupe"}
        """
    )
    project.run().assert_outcomes(passed=2)
    assert not project.runs


def test_foreign_tests_keep_their_order(pytester, project):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.finding
        def test_b(): pass

        @pytest.mark.contract
        def test_a(): pass
        """
    )
    result = project.run("-v")
    result.stdout.fnmatch_lines(["*::test_b PASSED*", "*::test_a PASSED*"])


def modules_after_collecting(folder, *options):
    """What collecting a foreign project imports, in a fresh process."""
    (folder / "test_x.py").write_text("def test_x(): pass\n")
    code = (
        "import json, pytest, sys\n"
        f"status = pytest.main(['--co', '-q', '-p', 'no:cacheprovider', *{list(options)!r}])\n"
        "print(json.dumps([int(status), sorted(sys.modules)]))"
    )
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    status, names = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    return set(names)


def test_collecting_a_foreign_project_imports_nothing_heavy(tmp_path):
    plain = modules_after_collecting(tmp_path)
    ours = modules_after_collecting(tmp_path, "-p", "interp.plugin")
    added = ours - plain
    assert "interp.plugin" in added
    assert not [name for name in added if name.split(".")[0] in HEAVY]
    foreign = [name for name in added if name.split(".")[0] not in sys.stdlib_module_names]
    assert {name.split(".")[0] for name in foreign} == {"interp"}
    assert len(added) < 80  # a new import is a millisecond or so; 50 ms are the promise


@pytest.mark.parametrize("option", ["--version", "--help", "--markers", "--fixtures"])
def test_pytest_s_own_questions_are_answered(project, option):
    result = project.run(option)
    assert result.ret == 0
