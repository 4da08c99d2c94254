"""The journal: what is written, what a cut does to it, and how it is read."""

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.errors import DataError, NonFiniteError, RequestError
from interp.reports.journal import Journal
from interp.reports.manifest import git_state, run_name, write_manifest
from interp.reports.record import read_run
from interp.reports.values import reading
from interp.stats import Estimate

CASE = {"spec_id": "area.claim", "spec_version": 1, "role": "finding", "model": "llama-a"}
END = {"verdict": "holds", "accepted": False, "reason": "", "seconds": 0.5}
VALUE = {
    "spec_id": "area.claim",
    "spec_version": 1,
    "metric": "rate",
    "value": 0.1,
    "low": None,
    "high": None,
    "n": 3,
    "p": None,
    "unit": "1",
    "published": None,
    "labels": {"layer": 3},
    "items": None,
    "model": {"id": "llama-a"},
    "nodeid": "t.py::a",
}


def case(nodeid, **others):
    return {**CASE, "nodeid": nodeid, **others}


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path, "main")
    yield opened
    opened.close()


def part(run):
    (path,) = (run / "parts").glob("*.jsonl")
    return path


def test_a_line_is_on_the_disk_as_soon_as_it_is_written(journal, tmp_path):
    journal.write("value", VALUE)
    (line,) = part(tmp_path).read_text().splitlines()
    row = json.loads(line)
    assert {key: row[key] for key in VALUE} == VALUE
    assert (row["v"], row["kind"], row["seq"]) == (1, "value", 1)


def test_a_line_is_one_write(journal, monkeypatch):
    writes = []
    monkeypatch.setattr(os, "write", lambda file, data: writes.append((file, data)) or len(data))
    journal.write("value", VALUE)
    journal.write("note", {"text": "two\nlines"})
    assert [data.count(b"\n") for _, data in writes] == [1, 1]


def test_what_was_started_and_not_ended_crashed_and_its_values_are_kept(journal, tmp_path):
    journal.write("test_start", case("t.py::a"))
    journal.write("value", VALUE)
    journal.write("test_start", case("t.py::b"))
    journal.write("test_end", {**case("t.py::b"), **END})
    journal.close()
    record = read_run(tmp_path)
    assert [one.nodeid for one in record.crashed] == ["t.py::a"]
    assert [end.case.nodeid for end in record.ends] == ["t.py::b"]
    assert [(value.metric, value.partial) for value in record.values] == [("rate", True)]


def test_what_a_process_that_is_alive_has_started_is_running(journal, tmp_path):
    journal.write("test_start", case("t.py::a"))
    record = read_run(tmp_path)
    assert [one.nodeid for one in record.running] == ["t.py::a"]
    assert record.writers == (journal.writer,)
    assert record.crashed == ()
    journal.close()
    record = read_run(tmp_path)
    assert (record.running, record.writers, len(record.crashed)) == ((), (), 1)


def test_what_was_interrupted_has_not_crashed_and_not_run(journal, tmp_path):
    (tmp_path / "collection.json").write_text(json.dumps([case("t.py::a")]))
    for kind in ("test_start", "value", "test_stop"):
        journal.write(kind, {**VALUE, **case("t.py::a")})
    journal.close()
    record = read_run(tmp_path)
    assert ([one.nodeid for one in record.not_run], record.crashed) == (["t.py::a"], ())
    assert [value.partial for value in record.values] == [True]


@given(st.floats(0, 1))
def test_a_journal_cut_anywhere_gives_every_whole_line(tmp_path_factory, share):
    tmp_path = tmp_path_factory.mktemp("run")
    journal = Journal(tmp_path, "main")
    for number in range(5):
        journal.write("value", {**VALUE, "metric": f"m{number}"})
    journal.close()
    whole = part(tmp_path).read_bytes()
    cut = round(share * len(whole))
    part(tmp_path).write_bytes(whole[:cut])
    record = read_run(tmp_path)
    lines = whole[:cut].split(b"\n")
    complete = lines if _is_json(lines[-1]) else lines[:-1]
    names = [json.loads(line)["metric"] for line in complete if line]
    assert [value.metric for value in record.values] == names
    assert record.torn == (lines[-1] != b"" and not _is_json(lines[-1]))


def _is_json(line):
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_a_line_cut_short_by_a_full_disk_does_not_take_the_next_with_it(
    journal, tmp_path, monkeypatch
):
    write = os.write
    left = [50]

    def full(file, data):
        if not left[0]:
            raise OSError(28, "No space left on device")
        written = write(file, data[: left[0]])
        left[0] -= written
        return written

    journal.write("value", VALUE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DataError, match="No space left on device"):
            journal.write("value", VALUE)
    assert journal.broken is not None
    journal.write("value", {**VALUE, "metric": "after"})
    record = read_run(tmp_path)
    assert [value.metric for value in record.values] == ["rate", "after"]
    assert record.torn == 1


def test_items_are_written_whole_or_not_at_all(journal, tmp_path, monkeypatch):
    from pathlib import Path

    def full(self, _):
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError, match="No space left"):
            journal.keep_items(np.zeros(3))
    assert list((tmp_path / "artifacts").iterdir()) == []
    digest = journal.keep_items(np.arange(3))
    assert np.load(tmp_path / "artifacts" / f"{digest}.npz")["items"].tolist() == [0, 1, 2]
    assert journal.keep_items(np.arange(3)) == digest


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path, monkeypatch):
    from pathlib import Path

    from interp.reports.journal import replace_file

    path = tmp_path / "manifest.json"
    replace_file(path, b"old")

    def interrupted(*_):
        raise OSError(5, "interrupted")

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(OSError, match="interrupted"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_parts_of_several_processes_are_one_run_in_the_order_of_time(tmp_path):
    writers = [Journal(tmp_path, name) for name in ("gw1", "gw0")]
    for number in range(6):
        own = {"metric": f"m{number}", "nodeid": f"t.py::{number % 2}"}
        writers[number % 2].write("value", {**VALUE, **own})
    for writer in writers:
        writer.close()
    metrics = [value.metric for value in read_run(tmp_path).values]
    assert metrics == [f"m{number}" for number in range(6)]


def test_the_last_word_on_a_case_counts(journal, tmp_path):
    for verdict in ("fails", "holds"):
        journal.write("test_end", {**case("t.py::a"), **END, "verdict": verdict})
    (end,) = read_run(tmp_path).ends
    assert end.verdict == "holds"


def test_a_contract_that_failed_elsewhere_makes_findings_of_its_model_invalid(tmp_path):
    first, second = Journal(tmp_path, "gw0"), Journal(tmp_path, "gw1")
    second.write("test_end", {**case("t.py::f"), **END})
    second.write("test_end", {**case("t.py::g", model="gpt-b"), **END})
    first.write(
        "test_end", {**case("t.py::c", role="contract", spec_id="c"), **END, "verdict": "fails"}
    )
    first.close()
    second.close()
    verdicts = {end.case.nodeid: end.verdict for end in read_run(tmp_path).ends}
    assert verdicts == {"t.py::f": "invalid", "t.py::g": "holds", "t.py::c": "fails"}


def test_what_is_no_run_or_of_a_newer_version_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no run here"):
        read_run(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "main.jsonl").write_text('{"v":99,"kind":"value","seq":1,"t":1}\n')
    with pytest.raises(DataError, match="a newer version"):
        read_run(tmp_path)


def test_an_estimate_of_the_library_is_read_with_its_items():
    read = reading(Estimate(0.5, 0.25, 0.75, 4, items=np.array([0.0, 1.0, 0.0, 1.0])))
    assert (read.value, read.low, read.high, read.n) == (0.5, 0.25, 0.75, 4)
    assert read.items.tolist() == [0.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), NonFiniteError),
        (np.float32("inf"), NonFiniteError),
        (np.zeros(2), RequestError),
        ([1], RequestError),
        (1j, RequestError),
    ],
)
def test_what_json_cannot_hold_is_refused(value, error):
    with pytest.raises(error):
        reading(value)


def test_a_manifest_says_what_a_run_ran_on_and_no_secrets(tmp_path, monkeypatch):
    import socket

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    write_manifest(tmp_path, root=tmp_path, argv=["-k", "llama"], models=[], profile="quick")
    text = (tmp_path / "manifest.json").read_text()
    manifest = json.loads(text)
    assert {"python", "numpy", "pytest"} <= manifest["versions"].keys()
    assert manifest["argv"] == ["-k", "llama"]
    assert manifest["git"] is None
    assert "hf_secret" not in text
    assert manifest["host"] != socket.gethostname()


def test_the_commit_and_whether_files_differ_from_it_are_known(tmp_path):
    import shutil
    import subprocess

    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = [shutil.which("git"), *who, *words]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "a").write_text("2")
    state = git_state(tmp_path)
    assert (len(state["commit"]), state["dirty"]) == (40, True)


def test_names_of_runs_sort_by_time_and_differ():
    names = [run_name() for _ in range(50)]
    assert len(set(names)) == 50
    assert [name[:19] for name in names] == sorted(name[:19] for name in names)
