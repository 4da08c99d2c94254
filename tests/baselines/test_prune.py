"""`interp prune` deletes what a full run has not brought forth, and nothing on any other ground."""

import pytest
from typer.testing import CliRunner

from interp.cli import app
from interp.errors import RequestError
from interp.reports.baselines import baseline_file, load_baseline
from interp.reports.items import items_folder


def call(bench, *words):
    words = [*words, "--reports-dir", str(bench.reports)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def kept(bench):
    baseline = load_baseline(baseline_file(bench.reports, "llama-a"))
    return {one.name for one in baseline.values}, {one.finding for one in baseline.verdicts}


@pytest.fixture
def shrunk(bench, measured, with_items):
    """A baseline of two findings and an item file, and the values that are left of them."""
    gone = with_items([True, False], "gone", spec_id="area.gone")
    bench.run([measured("a", 1), measured("b", 2), gone])
    call(bench, "accept")
    return [measured("a", 1)]


def test_after_a_full_run_what_is_missing_is_deleted(bench, shrunk):
    bench.run(shrunk)
    before = baseline_file(bench.reports, "llama-a").read_bytes()
    told = call(bench, "prune", "--missing", "--dry-run")
    assert "llama-a area.claim b would be deleted" in told
    assert baseline_file(bench.reports, "llama-a").read_bytes() == before
    assert len(list(items_folder(bench.reports).glob("*"))) == 1
    told = call(bench, "prune", "--missing")
    assert "3 lines and 1 file of items deleted" in told
    assert kept(bench) == ({"a"}, {"area.claim"})
    assert list(items_folder(bench.reports).glob("*")) == []
    assert "0 lines and 0 files of items deleted" in call(bench, "prune", "--missing")


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ({"deselected": 3}, "left out by -k"),
        ({"paths": ["specs/findings/test_a.py"]}, "and not all of specs"),
        ({"paths": []}, "nothing that is known"),
        ({"argv": ["--ignore=specs/findings/test_b.py"]}, "it ran with --ignore"),
        ({"argv": ["--last-failed"]}, "it ran with --last-failed"),
        ({"runs": [{"argv": ["--lf"]}, {"argv": []}]}, "it ran with --lf"),
    ],
    ids=str,
)
def test_a_run_of_a_part_deletes_nothing(bench, shrunk, manifest, why):
    bench.run(shrunk, manifest=manifest)
    assert why in call(bench, "prune", "--missing")
    assert kept(bench)[0] == {"a", "b", "gone"}


@pytest.mark.parametrize("verdict", ["error", "invalid", "skipped", "killed"])
def test_a_run_that_did_not_end_well_deletes_nothing(bench, shrunk, verdict):
    bench.run(shrunk, verdict=verdict)
    assert "1 finding came to no verdict" in call(bench, "prune", "--missing")
    assert kept(bench)[0] == {"a", "b", "gone"}


@pytest.mark.usefixtures("shrunk")
def test_a_model_that_did_not_run_keeps_its_lines(bench, measured):
    bench.run([measured(model={"id": "gpt-b"})], identity={"id": "gpt-b"})
    assert "no finding was planned on it" in call(bench, "prune", "--missing")
    assert kept(bench)[0] == {"a", "b", "gone"}


def test_another_profile_keeps_what_its_finding_measures_more(bench, shrunk):
    bench.run(shrunk, manifest={"profile": "full"})
    call(bench, "prune", "--missing")
    assert kept(bench)[0] == {"a", "b"}


def test_old_runs_are_deleted_and_the_last_ones_kept(bench, measured):
    runs = [bench.run([measured()]).folder for _ in range(4)]
    call(bench, "prune", "--runs", "--keep", "2", "--dry-run")
    assert all(run.exists() for run in runs)
    call(bench, "prune", "--runs", "--keep", "2")
    assert [run.exists() for run in runs] == [False, False, True, True]


def test_what_to_prune_must_be_said(bench):
    with pytest.raises(RequestError, match="--missing, --runs"):
        call(bench, "prune")
