"""Every command finds the project that it is called in, as pytest does."""

import pytest
from typer.testing import CliRunner

from interp.cli import app

CLAIM = """
@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    assert measured("top1", 0.9{more}) > 0.5
"""


def called(*words):
    return CliRunner().invoke(app, words, catch_exceptions=False).stdout


@pytest.mark.parametrize("words", ["report", "diff", "merge", "accept --dry-run", "prune --runs"])
def test_a_command_in_a_folder_of_the_project_finds_its_runs(project, monkeypatch, words):
    project.models("llama-a").spec(CLAIM.format(more=""))
    project.run()
    monkeypatch.chdir(project.path / "specs")
    called(*words.split())


PAPER = """
["p.top1"]
source = "arXiv:1234.5678"
model = "Llama"
metric = "top1"
value = 0.9
unit = "1"
status = "read"
comparable = "value"
"""
PLACES = {
    "pytest.ini": "[pytest]\n{}",
    "pytest.toml": "[pytest]\n{}",
    "pyproject.toml": "[tool.pytest.ini_options]\n{}",
    "tox.ini": "[tox]\nx = 1\n[pytest]\n{}",
    "setup.cfg": "[tool:pytest]\n{}",
}


@pytest.mark.parametrize("file", PLACES)
def test_a_command_goes_where_the_ini_file_says(project, monkeypatch, file):
    mark = '"' if file.endswith("toml") else ""
    names = {"models": "all.toml", "reports": "out", "published": "papers.toml"}
    lines = [f"interp_{key} = {mark}{name}{mark}" for key, name in names.items()]
    project.models("llama-a").spec(CLAIM.format(more=', published="p.top1"'))
    project.write("papers.toml", PAPER)
    project.write("all.toml", '[llama-a]\npath = "fixtures/weights/llama-a"\n')
    project.write("fixtures/models.toml", "")
    project.write(file, PLACES[file].format("\n".join(lines)))
    assert project.run().ret == 0
    monkeypatch.chdir(project.path / "specs")
    assert called("diff", "--all", "--json").count("top1") == 1
    assert called("models") == "llama-a  here\n"
    page = project.path / "page.html"
    called("report", "--to", str(page))
    assert "1234.5678" in page.read_text()


def test_a_file_that_does_not_speak_to_pytest_is_passed_over(project, monkeypatch):
    project.write("pytest.ini", "[pytest]\ninterp_reports = out")
    project.write("specs/pyproject.toml", "[tool.ruff]\nline-length = 100")
    project.models("llama-a").spec(CLAIM.format(more=""))
    project.run("specs")
    monkeypatch.chdir(project.path / "specs")
    assert called("diff", "--json").count("top1") == 1
