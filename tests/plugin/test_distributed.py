"""With workers: each model loaded once, a crash never repeated, nothing measured lost."""

import collections
import os
import signal
from types import SimpleNamespace

import pytest

pytest.importorskip("xdist", reason="pytest-xdist is an extra")

WORKERS = ("-p", "xdist", "-n", "2")
SPECS = """
import os, signal, time

@pytest.mark.contract
@pytest.mark.parametrize("depth", [1, 2])
def test_contract(model, depth): assert model.is_open

@pytest.mark.finding("area.claim")
@pytest.mark.parametrize("case", range(5))
def test_claim(model, measured, case):
    measured("worker", os.environ.get("PYTEST_XDIST_WORKER", ""))
    measured("threads", os.environ.get("OMP_NUM_THREADS", ""))
    if DIES and case == 2 and model.spec.id == "gpt-b":
        os.kill(os.getpid(), signal.SIGKILL)

def test_ordinary(): pass
"""


def specs(*, dies=False):
    return f"DIES = {dies}\n{SPECS}"


def started(run):
    """How often each case was started, from all parts of a run."""
    from interp.reports.lines import read_lines

    rows = [row for part in (run / "parts").glob("*.jsonl") for row in read_lines(part)]
    return collections.Counter(row["nodeid"] for row in rows if row and row["kind"] == "test_start")


def test_each_model_is_loaded_once_and_stays_on_its_worker(project, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    project.models("llama-a", "gpt-b", "qwen-c").spec(specs())
    result = project.start(*WORKERS)
    assert result.ret == 0
    result.assert_outcomes(passed=22)
    assert sorted(model for model, _ in project.loads) == ["gpt-b", "llama-a", "qwen-c"]
    assert len({process for _, process in project.loads}) == 2
    workers = collections.defaultdict(set)
    for value in project.record.values:
        if value.metric == "worker":
            workers[value.model_id].add(value.value)
    assert all(len(names) == 1 for names in workers.values())
    threads = {value.value for value in project.record.values if value.metric == "threads"}
    assert threads == {str(max(1, len(os.sched_getaffinity(0)) // 2))}
    result.stdout.fnmatch_lines(["interp: 21 specs on llama-a, gpt-b, qwen-c", "-- *: loaded in*"])
    assert project.record.torn == 0


def test_a_crash_is_told_once_never_repeated_and_loses_nothing(project):
    project.models("llama-a", "gpt-b").spec(specs(dies=True))
    result = project.start(*WORKERS)
    record = project.record
    assert result.ret == 11
    assert [case.nodeid for case in record.crashed] == ["specs/test_spec.py::test_claim[gpt-b-2]"]
    assert set(started(project.runs[-1]).values()) == {1}
    assert record.not_run == ()
    assert len(record.ends) == 13
    assert len(record.values) == 20
    result.stdout.fnmatch_lines(["*crashed while running*", "exit 11: incomplete: 1 crashed"])


def test_a_contract_that_kills_its_worker_makes_the_rest_invalid(project):
    project.models("gpt-b").spec(
        """
        import os

        @pytest.mark.contract
        def test_contract(model): os._exit(3)

        @pytest.mark.finding("area.claim")
        def test_claim(model, measured): measured("x", 1)
        """
    )
    result = project.start("-p", "xdist", "-n", "1")
    assert project.verdicts == {("area.claim", "gpt-b"): "invalid"}
    assert result.ret == 12


def test_one_worker_and_one_spec_do_not_wait_for_each_other(project):
    project.models("llama-a").spec("def test_it(model, measured): measured('x', 1)")
    assert project.start("-p", "xdist", "-n", "1", timeout=30).ret == 0


def test_a_failure_in_a_contract_reaches_the_worker_that_replaces_its_own(project):
    project.models("gpt-b").spec(
        """
        import os

        @pytest.mark.contract
        def test_contract(model): assert False

        @pytest.mark.contract
        def test_dies(model): os._exit(3)

        @pytest.mark.finding("area.claim")
        def test_claim(model, measured): measured("x", 1)
        """
    )
    project.start("-p", "xdist", "-n", "1")
    assert project.verdicts[("area.claim", "gpt-b")] == "invalid"
    assert project.record.values == ()


def test_a_contract_that_runs_in_another_worker_has_not_crashed(tmp_path):
    from interp.plugin.recording import Recorder
    from interp.reports.journal import Journal
    from interp.reports.record import Case

    def case(model, role):
        return Case(f"t.py::{role}[{model}]", role, 1, role, model)

    other = Journal(tmp_path, "gw1")
    other.write("test_start", vars(case("gpt-b", "contract")))
    recorder = Recorder(SimpleNamespace(run=tmp_path, resumed=None), "gw0", one_worker_a_model=True)
    recorder.start(case("llama-a", "finding"))
    end = {"verdict": "holds", "accepted": False, "reason": "", "seconds": 0.1}
    other.write("test_end", {**vars(case("gpt-b", "contract")), **end})
    recorder.start(case("gpt-b", "finding"))
    assert recorder.failed.on("gpt-b") == []
    other.write("test_start", vars(case("qwen-c", "contract")))
    other.close()
    recorder.start(case("qwen-c", "finding"))
    assert [case.spec_id for case in recorder.failed.on("qwen-c")] == ["contract"]


def test_a_distribution_that_was_asked_for_is_respected_with_a_word(project):
    project.models("llama-a").spec(specs())
    project.spec("def test_other(model): pass", "test_other.py")
    result = project.start(*WORKERS, "--dist", "loadfile")
    result.assert_outcomes(passed=9)
    result.stdout.fnmatch_lines(["interp: with --dist loadfile a model is loaded by each worker*"])


@pytest.mark.parametrize("options", [("-p", "no:xdist"), ("-p", "xdist", "-n", "0")])
def test_workers_are_optional(project, options):
    project.models("llama-a").spec(specs())
    project.start(*options).assert_outcomes(passed=8)
    assert len(project.loads) == 1


def test_a_kill_from_outside_loses_nothing_that_was_measured(project):
    """The controller dies; what its process had measured is all there, and is read as cut short."""
    project.models("llama-a").spec(
        """
        import os, signal

        def test_one(model, measured): measured("x", 1)

        def test_two(model, measured):
            measured("y", 1)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert project.start().ret == -signal.SIGKILL
    record = project.record
    assert [value.metric for value in record.values] == ["x", "y"]
    assert [case.spec_id for case in record.crashed] == ["test_spec::test_two"]


def test_foreign_projects_keep_the_scheduler_of_xdist(pytester, project):
    pytester.makepyfile("def test_one(): pass\ndef test_two(): pass")
    result = project.start(*WORKERS, "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["scheduling tests via LoadScheduling"])
