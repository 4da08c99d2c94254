"""`interp diff` says what moved between two runs, and what else was different."""

import json

import pytest
from typer.testing import CliRunner

from interp.cli import app

CLAIM = """
@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    value = measured("top1", {value}, layer=3)
    measured("n", 3)
    {more}
    assert value > 0.5
"""


@pytest.fixture
def pair(project):
    """Two runs of one finding: another value and verdict, one value more, one less."""
    project.models("llama-a").spec(CLAIM.format(value=0.98, more='measured("old", 1)'))
    project.run()
    project.spec(CLAIM.format(value=0.25, more='measured("new", 2)'))
    project.run()
    return project.runs


def shown(*words):
    result = CliRunner().invoke(app, ["diff", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_what_moved_appeared_and_vanished_is_named(pair):
    lines = shown(*pair).splitlines()
    assert "specs/test_spec.py::test_claim[llama-a]: holds -> fails" in lines
    assert "llama-a area.claim top1[layer=3]: 0.980 -> 0.250  moved" in lines
    assert "llama-a area.claim old: 1 -> not measured  missing" in lines
    assert "llama-a area.claim new: not measured -> 2  new" in lines
    assert not any("area.claim n:" in line for line in lines)


def test_a_run_against_itself_differs_in_nothing(pair):
    assert shown(pair[0], pair[0]).splitlines() == [
        "0 values and 0 verdicts differ",
        "nothing is different around them",
    ]
    assert "area.claim n: 3 -> 3  same" in shown(pair[0], pair[0], "--all")


def test_the_version_that_changed_is_named_as_a_cause(pair):
    manifest = pair[1] / "manifest.json"
    known = json.loads(manifest.read_text())
    known["versions"]["transformers"] = "6.0.0"
    manifest.write_text(json.dumps(known))
    assert "-> 6.0.0" in shown(*pair).split("different around them:")[1]


def test_as_json(pair):
    rows = json.loads(shown(*pair, "--json"))
    assert {row["kind"] for row in rows} == {"moved", "new", "missing"}
