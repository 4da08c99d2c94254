"""What the terminal shows: lines that fit, numbers beside passes, nothing harmful."""

import re

import pytest
from typer.testing import CliRunner

from interp.cli import app

CLAIM = """
@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    measured("top1", Estimate(0.98, 0.9, 1.0, 53), layer=3)
    measured("n", 3)

@pytest.mark.contract
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_identity(model, depth): pass
"""


def test_a_model_has_a_table_with_its_contracts_folded(project):
    project.models("llama-a").spec(CLAIM)
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "interp: 4 specs on llama-a",
            "interp: run reports/runs/*",
            "-- llama-a: loaded in * s, * in memory, 4 specs --",
            "llama-a (float32, loaded in * s, *B, peak *B, * s in all)",
            "                 value  95 % interval    n  verdict",
            "area.claim                                  holds",
            "  top1[[]layer=3[]]  0.980  [[]0.900, 1.000[]]  53",
            "  n                  3",
            "contracts 3 hold",
            "2 values new to the baselines",
            "run:  reports/runs/*",
            "next: interp accept --dry-run",
            "exit 0: all is well",
        ]
    )


def test_a_pass_shows_its_first_value_and_a_failure_does_not(project):
    project.models("llama-a").spec(
        CLAIM + "\ndef test_fails(model, measured): assert measured('x', 1) == 2"
    )
    result = project.run("-v")
    result.stdout.fnmatch_lines(
        [
            "*::test_claim[[]llama-a[]] PASSED top1[[]layer=3[]]=0.980 [[]0.900, 1.000[]] n=53*",
            "*::test_fails[[]llama-a[]] FAILED *",
            "FAILED specs/test_spec.py::test_fails[[]llama-a[]] - *",
        ]
    )


def test_of_many_values_the_first_and_the_last_are_shown(project):
    project.models("llama-a").spec(
        """
        def test_many(model, measured):
            for n in range(40):
                measured("share", n / 40, first=n)
            measured("p", 0.01)
        def test_eight(model, measured):
            for n in range(8):
                measured("few", n, number=n)
        """
    )
    lines = project.run().stdout.lines
    assert [line.split()[0] for line in lines if "first=" in line] == [
        f"share[first={n}]" for n in range(6)
    ]
    at = next(n for n, line in enumerate(lines) if line.strip() == "and 34 more")
    assert lines[at + 1].split()[0] == "p"
    assert sum("few[" in line for line in lines) == 8


def test_q_is_one_line_a_model(project):
    project.models("llama-a", "gpt-b").spec(CLAIM)
    lines = [line for line in project.run("-q").outlines if line]
    assert lines[1:] == [
        "llama-a: contracts 3 hold; findings 1 holds",
        "gpt-b: contracts 3 hold; findings 1 holds",
        "exit 0: all is well",
        lines[-1],
    ]
    assert "8 passed" in lines[-1]


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_a_table_fits_its_terminal(project, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    name = "area.with-a-rather-long-name.and-a-long-claim"
    project.models("llama-a").spec(CLAIM.replace("area.claim", name).replace("top1", "top1" * 9))
    lines = project.run().outlines
    start = next(place for place, line in enumerate(lines) if line.startswith("llama-a ("))
    table = lines[start : lines.index("contracts 3 hold")]
    assert max(map(len, table)) < columns
    *_, head, claim, first, second = table
    assert head.endswith("verdict")
    assert claim.endswith("holds")
    assert ("0.98" in first, second.endswith("3")) == (True, True)


def test_a_word_that_was_measured_leaves_room_for_the_verdict(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    project.models("llama-a").spec(CLAIM.replace('measured("n", 3)', 'measured("n", "word " * 30)'))
    result = project.run()
    result.stdout.re_match_lines(["area.claim +holds$", r"  n +(word )+w?o?r?…$"])


def test_the_line_about_the_baselines_is_whole_in_a_narrow_terminal(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    project.models("llama-a").spec(CLAIM)
    project.run()
    CliRunner().invoke(app, ["accept", "--reports-dir", str(project.path / "reports")])
    told = " ".join(line.strip() for line in project.run().outlines)
    assert "against the baselines: 0 values and 0 verdicts differ; 2 the same" in told


def test_text_from_a_model_cannot_move_the_cursor(project):
    project.models("llama-a").spec(
        """
        @pytest.mark.finding("area.claim")
        def test_claim(model, measured):
            measured("answer", "\\x1b[2J\\u202egnp.exe\\r\\nok")
            raise ValueError("\\x1b]0;title\\x07 odd")
        """
    )
    result = project.run("-v", "--tb=no")
    text = result.stdout.str().split("findings --")[1].split("short test summary")[0]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert "gnp.exe" in text


@pytest.mark.parametrize(("variable", "coloured"), [("NO_COLOR", False), ("FORCE_COLOR", True)])
def test_colour_is_the_user_s_choice(project, monkeypatch, variable, coloured):
    monkeypatch.delenv("PY_COLORS", raising=False)
    monkeypatch.setenv(variable, "1")
    project.models("llama-a").spec(CLAIM)
    assert ("\x1b[" in project.run().stdout.str()) is coloured


def test_the_time_that_is_left_is_told_from_the_last_run(project):
    project.models("llama-a").spec(CLAIM)
    project.run()
    (part,) = (project.runs[-1] / "parts").glob("*.jsonl")
    text = re.sub(r'"seconds":[0-9.e-]+', '"seconds":30.0', part.read_text())
    part.write_text(text)
    result = project.run()
    result.stdout.fnmatch_lines(
        ["interp: run *, about 2 min 00 s", "-- llama-a: *, 4 specs, about 2 min 00 s left --"]
    )


def test_a_failure_that_quotes_a_model_cannot_move_the_cursor(project):
    project.models("llama-a").spec(
        """
        @pytest.mark.finding("area.claim")
        def test_claim(model, measured):
            print("\\x1b[2J printed")
            assert measured("n", 3) == 4, "\\x1b[2J\\u202egnp.exe"
        """
    )
    text = project.run().stdout.str()
    assert "gnp.exe" in text
    assert "printed" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


def test_a_model_that_is_not_here_is_said_with_what_fetches_it(project):
    project.models("llama-a").registered("gpt-b").spec(CLAIM)
    result = project.run("--model", "gpt-b")
    result.stdout.fnmatch_lines(
        ["*gpt-b*", "*skipped: *", "*config.json*", "exit 0: nothing ran: every spec was skipped"]
    )
