"""The command line: a list of models, fetching one, and errors in our own words."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from interp import cli
from interp.errors import RequestError

ENTRIES = """
[llama-a]
path = "weights/llama-a"
tags = ["small"]

[remote]
hub = "org/remote"
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "fixtures" / "weights" / "llama-a"
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_text("{}")
    (tmp_path / "fixtures" / "models.toml").write_text(ENTRIES)
    return tmp_path


def run(*words):
    return CliRunner().invoke(cli.app, list(words))


@pytest.mark.usefixtures("project")
def test_models_are_listed_with_the_command_that_fetches_what_is_not_here():
    lines = run("models").stdout.splitlines()
    assert lines == ["llama-a  here", "remote   not here: interp fetch remote"]


def test_models_are_listed_by_their_files_for_a_backend(project):
    registry, both = project / "fixtures" / "models.toml", "\n[both]\nhub = 'org/both'\n"
    registry.write_text(f"{ENTRIES}{both}mlx = 'mlx-community/both-4bit'\n")
    lines = run("models", "--backend", "mlx").stdout.splitlines()
    assert lines[0] == "llama-a  here"
    assert lines[2] == "both     not here: interp fetch both --backend mlx"
    rows = json.loads(run("models", "--backend", "mlx", "--json").stdout)
    assert (rows[2]["source"], rows[2]["backend"]) == ("mlx-community/both-4bit", "mlx")
    assert run("models").stdout.splitlines()[2] == "both     not here: interp fetch both"


@pytest.mark.usefixtures("project")
def test_models_as_json_are_flat_objects():
    rows = json.loads(run("models", "--json").stdout)
    assert [(row["id"], row["present"]) for row in rows] == [("llama-a", True), ("remote", False)]
    assert rows[1]["source"] == "org/remote"
    assert "weights" in rows[1]["reason"]
    assert all(not isinstance(value, (dict, list)) for row in rows for value in row.values())


def test_a_size_is_listed_and_told_before_the_hub_is_asked(project, monkeypatch):
    registry = project / "fixtures" / "models.toml"
    registry.write_text(f"{ENTRIES}parameters = 1_235_000_000\ndtype = 'bfloat16'\n")
    assert run("models").stdout.splitlines()[1].endswith("interp fetch remote (about 2.5 GB)")
    here, away = json.loads(run("models", "--json").stdout)
    assert (here["bytes"], here["estimated"], here["size"]) == (2, False, "")
    assert (away["bytes"], away["estimated"], away["size"]) == (2_470_000_000, True, "1.24B")
    assert away["url"] == "https://huggingface.co/org/remote"

    def download(spec, *, look_only=False):
        raise RequestError("the hub was asked", received=spec.id, where=str(look_only))

    monkeypatch.setattr(cli, "download", download)
    assert run("fetch", "remote").stdout == "remote: about 2.5 GB of weights, estimated\n"


@pytest.mark.usefixtures("project")
def test_a_model_that_is_here_is_not_fetched():
    result = run("fetch", "llama-a")
    assert (result.exit_code, result.stdout) == (0, "llama-a: here already\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fetch", "remote"], "fetch org/remote failed: the files cannot be fetched."),
        (["fetch", "lama-a"], "interp fetch lama-a failed: no model has this name."),
    ],
)
def test_errors_are_said_in_the_house_form_without_a_traceback(project, words, said):
    done = subprocess.run(
        [sys.executable, "-c", "from interp.cli import main; main()", *words],
        cwd=project,
        env={"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(project / "home"), **PYTHON},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == said
    assert "Traceback" not in done.stderr
    assert "try:" in done.stderr


@pytest.mark.usefixtures("project")
def test_what_will_be_fetched_is_told_before_it_is(monkeypatch):
    asked = []

    def download(spec, *, look_only=False):
        asked.append((spec.source, look_only))
        return [("config.json", 500), ("model.safetensors", 2_499_999_500)]

    monkeypatch.setattr(cli, "download", download)
    result = run("fetch", "remote")
    assert asked == [("org/remote", True), ("org/remote", False)]
    assert result.stdout.splitlines()[0] == "remote: fetching 2 files, 2.50 GB, from org/remote"
    assert result.exit_code == 1  # nothing came, and it says so
    assert "not here" in result.stdout.splitlines()[1]


def test_files_for_another_backend_are_fetched_by_its_name(monkeypatch, project):
    registry, asked = project / "fixtures" / "models.toml", []
    registry.write_text("[both]\nhub = 'org/both'\nmlx = 'mlx-community/both-4bit'\n")
    monkeypatch.setattr(cli, "download", lambda spec, **_: asked.append(spec.source) or [])
    run("fetch", "both", "--backend", "mlx")
    run("fetch", "both")
    assert asked == ["mlx-community/both-4bit"] * 2 + ["org/both"] * 2


def test_a_folder_that_is_not_whole_is_not_looked_for_on_the_hub(project):
    (project / "fixtures" / "weights" / "llama-a" / "config.json").unlink()
    result = run("fetch", "llama-a")
    assert "a model that is a folder is not on the hub" in str(result.exception)


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert run("--version").stdout == f"interp {version('interp-specs')}\n"


def test_help_imports_neither_the_hub_nor_a_backend():
    code = (
        "import sys\nfrom interp import cli\n"
        "try: cli.app(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "fetch" in done.stdout


PYTHON = {"PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path)), "COLUMNS": "200"}
