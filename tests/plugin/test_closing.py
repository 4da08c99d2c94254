"""The end of a session: beside the baselines, on the page, and in the exit status."""

import json

import pytest

CLAIM = """
    @pytest.mark.finding("area.claim")
    def test_claim(model, measured):
        assert measured("top1", {value}) > 0.5
"""


@pytest.fixture
def ran(project):
    """A session that writes its reports, and one before it whose values were accepted."""

    def run(*options, value=0.9, accepted=0.9):
        project.models("llama-a").spec(CLAIM.format(value=accepted))
        project.run()
        accept(project)
        project.spec(CLAIM.format(value=value))
        return project.pytester.runpytest_inprocess("-p", "interp.plugin", *options)

    return run


def accept(project):
    from interp.reports.baselines import Baseline, baseline_file, save_baseline
    from interp.reports.compare import measured_by

    values = measured_by(project.record)["llama-a"]
    save_baseline(baseline_file(project.path / "reports", "llama-a"), Baseline(tuple(values), ()))


def test_a_run_leaves_its_page_its_summary_and_its_table(project, ran):
    result = ran()
    assert result.ret == 0
    left = {path.name for path in project.runs[-1].iterdir()}
    assert {"report.html", "summary.md", "values.parquet", "outcome.json"} <= left
    result.stdout.fnmatch_lines(
        [
            "against the baselines: 0 values and 0 verdicts differ; 1 the same",
            "run:  reports/runs/*/report.html",
        ]
    )


def test_without_a_report_there_is_the_journal_alone(project, ran):
    ran("--no-report")
    assert not (project.runs[-1] / "report.html").exists()


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--gate",), 10)])
def test_drift_is_shown_always_and_red_under_the_gate(ran, options, status):
    result = ran("--no-report", *options, value=0.8)
    assert result.ret == status
    result.stdout.fnmatch_lines(["*area.claim*top1*0.900*0.800*drifted*", "next: interp diff"])


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--gate",), 10)])
def test_a_value_that_is_no_longer_measured_is_red_under_the_gate(project, ran, options, status):
    ran("--no-report")
    project.spec(CLAIM.format(value=0.9).replace("top1", "top5"))
    result = project.run(*options, "--baseline-allow-new")
    assert result.ret == status
    result.stdout.fnmatch_lines(["*area.claim*top1*0.900*not measured*missing*"])
    if status:
        result.stdout.fnmatch_lines(["exit 10: 1 value missing"])


def test_the_session_edits_no_baseline(project, ran):
    ran("--gate", value=0.8)
    (line,) = (project.path / "reports/baselines/llama-a.jsonl").read_text().splitlines()
    assert json.loads(line)["value"] == 0.9


def test_a_corrupt_baseline_is_a_usage_error_at_once(project):
    project.models("llama-a").spec(CLAIM.format(value=0.9))
    project.write("reports/baselines/llama-a.jsonl", '{"kind": "value", "torn')
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*llama-a.jsonl:1*"])
    assert not project.runs


def test_in_a_job_of_github_the_step_has_a_summary_and_lines_are_marked(ran, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = ran("--gate", "--no-report", value=0.8)
    assert "exit 10" in (tmp_path / "step.md").read_text()
    result.stdout.fnmatch_lines(["::error file=specs/test_spec.py,*drifted*"])
