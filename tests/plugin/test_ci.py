"""The gate as CI meets it: drift is exit 10 in words, and GitHub is told in its own ways."""

import json

import pytest

SPEC = """
@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    measured("x", 1)
    measured("y", 2)
"""
VALUE = {
    "kind": "value",
    "finding": "area.claim",
    "version": 1,
    "environment": {"dtype": "float32"},
}
HOLDS = {"kind": "verdict", "finding": "area.claim", "version": 1, "verdict": "holds"}
FAILS = {**HOLDS, "verdict": "fails", "reason": "known"}


def row(metric, number):
    return {**VALUE, "metric": metric, "labels": {}, "value": number}


SAME = [row("x", 1), row("y", 2), HOLDS]


@pytest.fixture
def gated(project):
    project.models("llama-a").spec(SPEC)
    return project


@pytest.mark.parametrize(
    ("accepted", "args", "status", "said"),
    [
        (SAME, ("--gate",), 0, "all is well"),
        (None, ("--gate",), 0, "all is well"),
        ([row("x", 3), *SAME[1:]], ("--gate",), 10, "1 value drifted"),
        ([row("x", 3), *SAME[1:]], (), 0, "all is well"),
        ([*SAME, row("z", 1)], ("--gate",), 10, "1 value missing"),
        ([*SAME, row("z", 1)], ("--gate", "-k", "nothing"), 5, ""),
        (SAME[1:], ("--gate",), 10, "1 value new to the baseline"),
        (SAME[1:], ("--gate", "--baseline-allow-new"), 0, "all is well"),
        ([*SAME[:2], FAILS], ("--gate",), 10, "1 verdict changed"),
        ([*SAME[:2], FAILS], (), 0, "all is well"),
    ],
)
def test_drift_is_red_under_the_gate_alone(gated, accepted, args, status, said):
    if accepted is not None:
        gated.baseline("llama-a", *accepted)
    result = gated.run(*args)
    if said:
        assert result.ret == status
        result.stdout.fnmatch_lines([f"exit {status}: {said}"])


def test_workers_come_to_the_same_exit_status(gated):
    gated.models("gpt-b").baseline("gpt-b", row("x", 3), *SAME[1:])
    result = gated.start("-p", "xdist", "-n", "2", "--gate")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["exit 10: 1 value drifted"])


def test_a_run_never_writes_a_baseline(gated):
    path = gated.baseline("llama-a", row("x", 3), *SAME[1:])
    before = path.read_bytes()
    gated.run("--gate")
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def reported(gated, *args):
    """Run as users do: the others leave the page away, which takes a second or two."""
    return gated.pytester.runpytest_subprocess("-p", "interp.plugin", *args, timeout=60)


def test_in_a_job_of_github_the_step_has_a_summary_and_annotations(gated, monkeypatch):
    step = gated.path / "step.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    gated.baseline("llama-a", row("x", 3), *SAME[1:])
    result = reported(gated, "--gate")
    assert step.read_text().startswith("# exit 10: 1 value drifted\n")
    assert "| llama-a | area.claim | x | 3 | 1 | drifted (exact) |" in step.read_text()
    result.stdout.fnmatch_lines(
        ["::error file=specs/test_spec.py,line=*,title=area.claim llama-a::x*"]
    )


def test_elsewhere_nothing_is_annotated(gated, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    gated.baseline("llama-a", row("x", 3), *SAME[1:])
    assert "::error" not in reported(gated, "--gate").stdout.str()


def test_the_folder_of_a_run_has_its_summary_and_values(gated):
    reported(gated)
    folder = gated.runs[-1]
    assert (folder / "summary.md").read_text().startswith("# exit 0")
    assert (folder / "values.parquet").read_bytes()[:4] == b"PAR1"
    assert json.loads((folder / "manifest.json").read_text())["deselected"] == 0
