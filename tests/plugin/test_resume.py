"""`--resume` goes on with a run that was cut short, and refuses to mix what is not one run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from interp.reports.lines import read_folder
from interp.reports.locks import hold
from interp.reports.record import read_run

DIES = """
import os, signal
from pathlib import Path

@pytest.mark.contract
def test_contract(model): assert model.is_open

@pytest.mark.finding("area.claim")
@pytest.mark.parametrize("case", range(5))
def test_claim(model, measured, case):
    measured("x", case)
    if case == 2 and not Path("healed").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    measured("y", case)
    assert case != 1
"""
WAYS = [(), ("-p", "xdist", "-n", "2")]


@pytest.fixture
def dead(project):
    """A project whose run was killed in its fourth of six cases."""
    project.models("llama-a").spec(DIES)
    assert project.start().ret == -signal.SIGKILL
    project.write("healed", "")
    return project


def started(run):
    return Counter(row["nodeid"] for row in read_folder(run).rows if row["kind"] == "test_start")


@pytest.mark.parametrize("workers", WAYS)
def test_a_run_goes_on_where_it_was_cut_short(dead, workers):
    (part,) = (dead.runs[0] / "parts").iterdir()
    part.write_bytes(part.read_bytes() + b'{"v":1,"kind":"val')
    result = dead.start("--resume", "latest", *workers)
    record = dead.record
    assert len(dead.runs) == 1
    assert set(started(dead.runs[0]).values()) == {1}
    assert [case.params for case in record.crashed] == ["2"]
    assert record.not_run == ()
    assert [value.value for value in record.values if value.metric == "x"] == [0, 1, 2, 3, 4]
    assert [value.value for value in record.values if value.partial] == [2]
    result.stdout.fnmatch_lines(["interp: resumes *: 4 of 6 specs are over, 1 of them crashed*"])
    result.stdout.fnmatch_lines(["1 line of the journal cut short and left out"])
    result.stdout.fnmatch_lines(["exit 11: incomplete: 1 crashed; 1 claim does not hold"])
    assert result.ret == 11


@pytest.mark.parametrize("workers", WAYS)
def test_what_crashed_runs_again_when_asked_for(dead, workers):
    result = dead.start("--resume", dead.runs[0].name, "--retry-crashed", *workers)
    record = dead.record
    again = {nodeid for nodeid, times in started(dead.runs[0]).items() if times == 2}
    assert again == {"specs/test_spec.py::test_claim[llama-a-2]"}
    assert (record.crashed, record.not_run) == ((), ())
    assert sorted(value.value for value in record.values if value.metric == "x") == [0, 1, 2, 3, 4]
    assert result.ret == 1  # the claim that failed before the crash still fails


def test_a_run_that_is_complete_has_the_status_it_had(project):
    project.models("llama-a").spec("def test_it(model, measured): measured('x', 1)")
    project.start()
    for workers in WAYS:
        result = project.start("--resume", "latest", *workers)
        result.stdout.fnmatch_lines(["exit 0: all is well"])
        assert result.ret == 0
    assert list(started(project.runs[0]).values()) == [1]


def test_only_what_was_planned_is_gone_on_with(project):
    project.models("llama-a").spec(DIES)
    project.start("-k", "claim and not 4")
    project.write("healed", "")
    project.start("--resume", "latest", "--retry-crashed")
    assert sorted(end.case.params for end in project.record.ends) == ["0", "1", "2", "3"]


def test_a_contract_that_failed_before_the_crash_makes_the_rest_invalid(project):
    project.models("llama-a").spec(DIES.replace("assert model.is_open", "assert False"))
    project.spec(
        """
        import os

        @pytest.mark.contract
        def test_dies(model): os._exit(3)

        @pytest.mark.finding("area.other")
        def test_other(model, measured): measured("x", 1)
        """
    )
    project.spec("@pytest.mark.contract\ndef test_fails(model): assert False", "test_a.py")
    project.start()
    assert project.start("--resume", "latest").ret == 12
    assert project.verdicts["area.other", "llama-a"] == "invalid"


def begin(project, *words):
    """A session that runs while the test goes on; in the background it would ignore SIGINT."""
    own = ["-m", "pytest", "-p", "interp.plugin", "-p", "no:cacheprovider"]
    pipes = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = subprocess.Popen([sys.executable, *own, *words], cwd=project.path, **pipes)
    signal.signal(signal.SIGINT, heard)
    return started


def edit_manifest(run, **changes):
    path = run / "manifest.json"
    known = json.loads(path.read_text())
    for name, value in changes.items():
        known[name] = {**known[name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(known))


@pytest.mark.parametrize("workers", WAYS)
def test_another_environment_is_refused_and_named(dead, workers):
    versions = {"numpy": "1.0", "pytest": "1.0"}
    edit_manifest(dead.runs[0], profile="full", machine="pdp11", versions=versions)
    result = dead.start("--resume", "latest", *workers)
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        [
            "*is not as it was*",
            "*expected: numpy: 1.0; profile: full; machine: pdp11",
            "*received: numpy: *; profile: quick; machine: *",
            "*try: *start a new run*",
        ]
    )
    assert len(started(dead.runs[0])) == 4


@pytest.mark.parametrize(
    ("old", "new", "told", "workers"),
    [
        ('"area.claim"', '"area.claim", version=2', "*received: *area.claim version 2*", WAYS[0]),
        ('measured("x", case)', 'measured("x", -case)', "*, its code: *", WAYS[1]),
    ],
)
def test_another_spec_is_refused_and_named(dead, old, new, told, workers):
    dead.spec(DIES.replace(old, new))
    result = dead.start("--resume", "latest", *workers)
    assert result.ret == 4
    result.stderr.fnmatch_lines([told])
    assert len(started(dead.runs[0])) == 4


@pytest.mark.parametrize("workers", WAYS)
def test_a_model_that_is_another_when_it_is_loaded_is_refused(dead, workers):
    conftest = dead.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace('"float32"', '"bfloat16"'))
    result = dead.start("--resume", "latest", *workers)
    result.stdout.fnmatch_lines(["*is not as it was*", "*expected: llama-a ? dtype: float32*"])
    assert result.ret in {2, 11}
    assert len(dead.record.not_run) == 2


def test_weights_that_were_replaced_are_refused_before_anything_runs(project):
    identity = '{"weights_digest": "0" * 64, "id": self.spec.id,'
    project.models("llama-a").spec(DIES)
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace('{"id": self.spec.id,', identity))
    project.start()
    result = project.start("--resume", "latest")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*expected: llama-a ? weights: 000000000000*"])


def test_the_commands_that_mean_nothing_are_refused(dead):
    for words in (["--retry-crashed"], ["--resume", "latest", "--run-dir", "new"]):
        result = dead.run(*words)
        assert result.ret == 4
    result = dead.run("--resume", "2026")
    result.stderr.fnmatch_lines(["*no run has this name*", f"*nearest: {dead.runs[0].name}*"])


def test_a_run_that_somebody_writes_to_is_refused_at_once(dead):
    lock = hold(dead.runs[0])
    try:
        begin = time.monotonic()
        result = dead.start("--resume", "latest")
        assert time.monotonic() - begin < 10
        assert result.ret == 4
        result.stderr.fnmatch_lines([f"*process {os.getpid()} is writing to this run*"])
    finally:
        lock.release()
    assert dead.start("--resume", "latest").ret == 11


def test_versions_that_no_number_depends_on_may_differ(dead):
    edit_manifest(dead.runs[0], versions={"pytest": "1.0", "xdist": "1.0"})
    assert dead.start("--resume", "latest").ret == 11


@pytest.mark.parametrize("workers", WAYS)
def test_of_two_runs_that_start_at_once_in_one_folder_one_is_refused(project, workers):
    project.models("llama-a").spec(
        """
        def test_it(model, measured):
            measured("x", 1)
            __import__("time").sleep(2)
        """
    )
    both = [begin(project, *workers, "--run-dir", "here") for _ in range(2)]
    told = [process.communicate(timeout=60) for process in both]
    assert sorted(process.returncode for process in both) == [0, 4]
    refused = told[0 if both[0].returncode else 1]
    assert "is writing to this run" in refused[1] or "this one is not empty" in refused[1]
    assert len(read_run(project.path / "here").values) == 1


@pytest.mark.parametrize("workers", WAYS)
def test_an_interrupted_case_has_not_crashed_and_runs_again(project, workers):
    project.models("llama-a").spec(
        """
        import time
        from pathlib import Path

        def test_one(model, measured):
            measured("x", 1)
            if not Path("healed").exists():
                Path("reached").touch()
                time.sleep(60)
            measured("y", 1)
        """
    )
    process = begin(project, *workers)
    deadline = time.monotonic() + 30
    while not (project.path / "reached").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)  # to the controller alone, as from a service
    process.communicate(timeout=30)
    assert process.returncode == 2
    assert (project.record.crashed, len(project.record.not_run)) == ((), 1)
    project.write("healed", "")
    assert project.start("--resume", "latest", *workers).ret == 0
    assert [value.metric for value in project.record.values] == ["x", "y"]


def test_a_test_that_ended_before_its_worker_died_counts_as_its_journal_says(project):
    pytest.importorskip("xdist", reason="pytest-xdist is an extra")
    project.models("llama-a").spec(
        """
        import os, signal

        @pytest.fixture
        def dies_late():
            yield
            os.kill(os.getpid(), signal.SIGKILL)

        def test_one(model, measured, dies_late): measured("x", 1)

        def test_two(model, measured): measured("y", 1)
        """
    )
    result = project.start("-p", "xdist", "-n", "1")
    result.stdout.fnmatch_lines(["*crashed while running*test_one*"])
    assert project.verdicts == {
        ("test_spec::test_one", "llama-a"): "holds",
        ("test_spec::test_two", "llama-a"): "holds",
    }
    assert project.record.crashed == ()
    result.stdout.fnmatch_lines(["exit 11: incomplete: worker died"])


def test_a_folder_that_vanishes_is_told_and_stops_the_run(project):
    project.models("llama-a").spec(
        """
        import shutil

        def test_one(model, measured): measured("x", 1)

        def test_two(model, measured):
            shutil.rmtree("reports/runs")
            measured("y", 1)

        def test_three(model, measured): measured("z", 1)
        """
    )
    result = project.start()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*folder of this run is gone*"])
    assert project.runs == []
