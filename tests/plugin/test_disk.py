"""A full disk or a folder that cannot be written to: said clearly, and nothing before it lost."""

import pytest

from interp.reports.folders import list_runs

LIMITED = """
@pytest.fixture(scope="session", autouse=True)
def small_disk():
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.RLIM_INFINITY))
"""
MEASURES = """
@pytest.mark.parametrize("case", range(40))
def test_it(model, measured, case): measured("x", 1.5)
"""


def test_a_disk_that_fills_up_stops_the_run_and_keeps_what_was_measured(project):
    pytest.importorskip("resource", reason="limits on file sizes are POSIX")
    project.models("llama-a").spec(LIMITED + MEASURES)
    result = project.start("--tb=line")
    record = project.record
    assert result.ret == 11
    assert 3 < len(record.values) < 40
    assert record.torn <= 1  # none, if the last byte that fits ends a line
    assert len(record.ends) >= len(record.values) - 1
    result.stdout.fnmatch_lines(["*the journal of this run cannot be written.*"])
    assert result.stdout.str().count("Error: the journal") <= 2


def test_a_full_disk_under_the_items_is_the_same(project):
    pytest.importorskip("resource", reason="limits on file sizes are POSIX")
    project.models("llama-a").spec(
        LIMITED
        + """
import numpy as np

def test_small(model, measured): measured("x", 1.5)

def test_large(model, measured): measured("y", Estimate(0.5, 0.4, 0.6, 9, np.zeros(9000)))
"""
    )
    result = project.start()
    assert result.ret == 11
    assert [value.metric for value in project.record.values] == ["x"]
    assert not list((project.runs[-1] / "artifacts").iterdir())
    result.stdout.fnmatch_lines(["*the journal of this run cannot be written.*"])


def test_a_folder_that_cannot_be_written_to_is_a_usage_error_before_anything_runs(project):
    project.models("llama-a").spec(MEASURES)
    project.write("reports", "a file where the folder should be")
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*the journal of this run cannot be written.*", "*where: *reports*", "*--reports-dir*"]
    )
    assert not project.loads


def test_workers_say_so_in_their_first_spec(project):
    pytest.importorskip("xdist", reason="pytest-xdist is an extra")
    project.models("llama-a").spec(MEASURES)
    project.write("reports", "a file where the folder should be")
    result = project.start("-p", "xdist", "-n", "1")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*the journal of this run cannot be written.*"])
    assert not project.loads


def test_a_run_never_shares_its_folder(project):
    project.models("llama-a").spec(MEASURES)
    assert project.run("--run-dir", "here").ret == 0
    assert (project.path / "here" / "manifest.json").is_file()
    result = project.run("--run-dir", "here")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*this one is not empty*"])


def test_reports_can_be_elsewhere(project):
    project.models("llama-a").spec("def test_it(model, measured): measured('x', 1)")
    project.run("--reports-dir", "elsewhere")
    assert len(list_runs(project.path / "elsewhere")) == 1
    assert not (project.path / "reports").exists()


def test_collecting_alone_writes_nothing(project):
    project.models("llama-a").spec(MEASURES)
    result = project.run("--collect-only")
    assert not (project.path / "reports").exists()
    assert result.ret == 0
