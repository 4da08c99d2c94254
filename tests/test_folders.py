"""Which folder is meant: the latest run, one of a name, or a folder anywhere."""

from pathlib import Path

import pytest

from interp.errors import DataError
from interp.reports.folders import find_run, list_runs, set_latest


@pytest.fixture
def reports(tmp_path):
    """Two runs, and beside them what is none."""
    for name in ("20260101T000000.000Z-aaaaaa", "20260102T000000.000Z-bbbbbb"):
        (tmp_path / "reports" / "runs" / name / "parts").mkdir(parents=True)
    (tmp_path / "reports" / "runs" / "notes").mkdir()
    return tmp_path / "reports"


def names(paths):
    return [path.name[-6:] for path in paths]


def test_runs_are_listed_oldest_first_without_the_name_of_the_latest(reports):
    set_latest(reports, list_runs(reports)[0])
    assert names(list_runs(reports)) == ["aaaaaa", "bbbbbb"]


@pytest.mark.parametrize("name", [None, "latest"])
def test_the_latest_run_is_the_one_that_was_set_not_the_last_by_name(reports, name):
    assert names([find_run(reports, name)]) == ["bbbbbb"]
    set_latest(reports, list_runs(reports)[0])
    assert names([find_run(reports, name)]) == ["aaaaaa"]
    set_latest(reports, list_runs(reports)[1])
    assert names([find_run(reports, name)]) == ["bbbbbb"]
    assert sorted(path.name for path in (reports / "runs").glob(".*")) == []


def test_where_links_are_impossible_the_name_is_text(reports, monkeypatch):
    def impossible(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", impossible)
    set_latest(reports, list_runs(reports)[0])
    assert (reports / "runs" / "latest").is_file()
    assert names([find_run(reports, None)]) == ["aaaaaa"]
    assert names([find_run(reports, str(reports / "runs" / "latest"))]) == ["aaaaaa"]


def test_a_run_that_is_gone_is_not_the_latest(reports):
    first, second = list_runs(reports)
    set_latest(reports, second)
    (second / "parts").rmdir()
    assert find_run(reports, None) == first.resolve()


def test_a_run_is_found_by_name_and_by_folder(reports, monkeypatch):
    run = list_runs(reports)[0]
    monkeypatch.chdir(reports)
    for name in (run.name, str(run), f"runs/{run.name}"):
        assert find_run(reports, name) == run.resolve()


def test_a_name_that_stands_for_nothing_is_told_the_nearest(reports):
    with pytest.raises(DataError, match=r"nearest: .*-aaaaaa"):
        find_run(reports, "20260101T000000.000Z-aaaaab")
    with pytest.raises(DataError, match="there is no run yet"):
        find_run(reports / "elsewhere", None)


def test_a_run_that_is_kept_elsewhere_is_never_the_latest(reports, tmp_path):
    (tmp_path / "parts").mkdir()
    set_latest(reports, tmp_path)
    assert not (reports / "runs" / "latest").exists()
