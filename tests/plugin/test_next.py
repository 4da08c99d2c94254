"""The command that a run names last can be typed as it stands."""

import shlex

import pytest

FAILS = """
@pytest.mark.finding("area.claim")
@pytest.mark.parametrize("name", ["it's"])
def test_claim(model, measured, name):
    assert measured("top1", 0.9) < 0.5
"""
STOPS = """
from pathlib import Path

@pytest.mark.finding("area.claim")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_claim(model, measured, number):
    measured("top1", 0.9)
    stopped = Path("stopped")
    if number == 2 and not stopped.exists():
        stopped.touch()
        raise KeyboardInterrupt
"""


def said(result):
    (line,) = [line for line in result.outlines if line.startswith("next: ")]
    return shlex.split(line.removeprefix("next: "))


def test_the_name_of_what_failed_is_quoted(project):
    project.models("llama-a").spec(FAILS)
    assert said(project.run()) == ["pytest", "specs/test_spec.py::test_claim[llama-a-it's]"]


@pytest.mark.parametrize("where", ["", "kept apart"])
def test_a_run_that_was_stopped_can_be_gone_on_with(project, where):
    project.models("llama-a").spec(STOPS)
    named = ["--run-dir", where] if where else []
    program, *words = said(project.start(*named))
    assert (program, words[0]) == ("pytest", "--resume")
    result = project.start(*words)
    assert result.ret == 0
    result.assert_outcomes(passed=2, deselected=1)
