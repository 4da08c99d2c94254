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
