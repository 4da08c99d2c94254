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


def shown(*words, width=100):
    environment = {"COLUMNS": str(width)}
    result = CliRunner().invoke(
        app, ["diff", *map(str, words)], catch_exceptions=False, env=environment
    )
    assert result.exit_code == 0
    return result.stdout


def kinds(*words):
    return {
        row["name"]: row["kind"]
        for row in json.loads(shown(*words, "--json"))
        if row["kind"] not in {"verdict", "environment"}
    }


def test_what_moved_appeared_and_vanished_is_named(pair):
    lines = [" ".join(line.split()) for line in shown(*pair).splitlines()]
    assert "llama-a area.claim: holds -> does not hold" in lines
    assert "area.claim top1[layer=3] 0.980 0.250 drifted rounding 9.8e-05" in lines
    assert "area.claim old 1 not measured missing" in lines
    assert "area.claim new not measured 2 new" in lines
    assert not any(line.startswith("area.claim n ") for line in lines)


def test_a_run_against_itself_differs_in_nothing(pair):
    assert shown(pair[0], pair[0]).splitlines()[1:] == [
        "0 values and 0 verdicts differ; 3 the same",
        "nothing is different around them",
    ]
    assert kinds(pair[0], pair[0], "--all") == {"top1[layer=3]": "same", "n": "same", "old": "same"}


def test_the_version_that_changed_is_named_as_a_cause(pair):
    manifest = pair[1] / "manifest.json"
    known = json.loads(manifest.read_text())
    known["versions"]["transformers"] = "6.0.0"
    manifest.write_text(json.dumps(known))
    assert "-> 6.0.0" in shown(*pair).split("different around them:")[1]


def test_as_json_every_row_has_the_same_keys(pair):
    rows = json.loads(shown(*pair, "--format", "json"))
    assert {row["kind"] for row in rows} == {"drifted", "new", "missing", "verdict"}
    assert len({tuple(row) for row in rows}) == 1
    assert rows == json.loads(shown(*pair, "--json"))


def test_without_an_argument_the_last_run_is_beside_the_baselines(project, pair):
    assert kinds("--reports-dir", project.path / "reports") == dict.fromkeys(
        ("top1[layer=3]", "n", "new"), "new"
    )
    one = shown(pair[0].name, "--reports-dir", project.path / "reports")
    assert "against the baselines" in one
    assert "old" in one


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_of_the_table_is_wider_than_the_terminal(pair, width):
    assert max(len(line) for line in shown(*pair, width=width).splitlines()) <= width


def test_as_markdown_a_name_cannot_break_its_cell(project):
    project.models("llama-a").spec(CLAIM.format(value=0.98, more=""))
    project.run()
    project.spec(CLAIM.format(value=0.97, more='measured("new", "a|b`<i>", why="x|y")'))
    project.run()
    told = shown(*project.runs, "--format", "md")
    row = next(line for line in told.splitlines() if "new[" in line)
    assert row.replace("\\|", "").count("|") == 9
    assert "`a\\|b'<i>`" in row


def test_the_comparison_names_what_it_rests_on(pair):
    moved = next(row for row in json.loads(shown(*pair, "--json")) if row["kind"] == "drifted")
    assert (moved["model"], moved["finding"], moved["before"], moved["after"]) == (
        "llama-a",
        "area.claim",
        0.98,
        0.25,
    )


def test_the_tolerance_that_a_spec_states_counts(project):
    spec = """
        from interp import within

        @pytest.mark.finding("area.claim")
        def test_claim(model, measured):
            measured("gain", {value}, tolerance=within(abs=0.1, better="higher"))
        """
    project.models("llama-a")
    for value in (0.5, 0.58, 0.75):
        project.spec(spec.format(value=value))
        project.run()
    first, second, third = project.runs
    assert kinds(first, second) == {"gain": "within"}
    assert kinds(second, third) == {"gain": "improved"}
    assert kinds(third, first) == {"gain": "drifted"}
