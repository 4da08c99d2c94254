"""Merging: one order whatever the clocks say, each line once, what counts marked, same bytes."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from interp.cli import main
from interp.errors import DataError, RequestError
from interp.reports.joining import join, merge_in_place
from interp.reports.journal import Journal
from interp.reports.lines import read_folder, read_lines, together
from interp.reports.locks import hold
from interp.reports.merge import merge, merged_file
from interp.reports.record import read_run

KINDS = ("test_start", "value", "test_end", "test_stop", "model_load", "chart", "of tomorrow")
CASE = {"spec_id": "area.claim", "spec_version": 1, "role": "finding", "model": "llama-a"}
END = {"verdict": "holds", "accepted": False, "reason": "", "seconds": 0.5}
NOTHING = dict.fromkeys(("low", "high", "n", "p", "published", "items"))
VALUE = {**NOTHING, "metric": "x", "value": 1.0, "unit": "1", "labels": {}}


def row(writer, sequence, kind, time=1.0, **others):
    return {"v": 1, "kind": kind, "seq": sequence, "t": time, "writer": writer, **others}


@st.composite
def journals(draw):
    """The lines of a few writers with clocks that go anywhere, some of them twice."""
    rows = []
    for writer in draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=3)):
        for number in range(1, 1 + draw(st.integers(0, 8))):
            others = draw(
                st.sampled_from([{}, {"nodeid": "t.py::a"}, {"nodeid": "t.py::b", "new": [1.5]}])
            )
            time, kind = draw(st.integers(0, 5)), draw(st.sampled_from(KINDS))
            rows.append(row(writer, number, kind, time, **others))
    again = draw(st.lists(st.sampled_from(rows), max_size=3)) if rows else []
    return draw(st.permutations([*rows, *again]))


@given(journals(), st.data())
def test_merging_gives_the_same_in_any_order_again_and_by_parts(rows, data):
    whole = merge(rows)
    assert merge(whole) == whole
    assert merge(data.draw(st.permutations(rows))) == whole
    cut = data.draw(st.integers(0, len(rows)))
    assert merge([*merge(rows[:cut]), *merge(rows[cut:])]) == whole
    assert merge([*merge(rows[:cut]), *rows]) == whole


@given(journals())
def test_nothing_is_lost_and_each_writer_keeps_its_order(rows):
    whole = merge(rows)
    said = {(one["writer"], one["seq"], one["kind"], one.get("nodeid")) for one in rows}
    merged = [(one["writer"], one["seq"], one["kind"], one.get("nodeid")) for one in whole]
    assert sorted(merged, key=str) == sorted(said, key=str)
    for writer in {one["writer"] for one in rows}:
        sequence = [one["seq"] for one in whole if one["writer"] == writer]
        assert sequence == sorted(sequence)


@given(journals())
def test_of_each_case_one_attempt_counts_the_last_that_ended(rows):
    whole = merge(rows)
    for case in ("t.py::a", "t.py::b"):
        own = [one for one in whole if one.get("nodeid") == case]
        counts = [one for one in own if not one.get("superseded")]
        assert bool(own) == bool(counts)
        assert len({one["writer"] for one in counts}) <= 1
        starts = [one for one in counts if one["kind"] == "test_start"]
        assert len(starts) <= 1
        ended = any(one["kind"] == "test_end" for one in own)
        assert ended == any(one["kind"] == "test_end" for one in counts)
        assert all(bool(one.get("partial")) != ended for one in counts)


def test_a_clock_that_goes_back_does_not_reorder_what_one_process_wrote():
    rows = [
        row("a", 1, "test_start", 100.0),
        row("a", 2, "value", 5.0),
        row("b", 1, "note", 50.0),
        row("a", 3, "test_end", 101.0),
        row("b", 2, "note", 100.5),
    ]
    merged = [(one["writer"], one["seq"]) for one in merge(rows)]
    assert merged == [("b", 1), ("a", 1), ("a", 2), ("b", 2), ("a", 3)]


def attempt(writer, time, *kinds, nodeid="t.py::a"):
    """The lines of one attempt at a case."""
    return [
        row(writer, number, kind, time + number, **{**CASE, **END, **VALUE, "nodeid": nodeid})
        for number, kind in enumerate(kinds, start=1)
    ]


def marks(rows):
    return [
        (one["writer"], one.get("superseded", False), one.get("partial", False)) for one in rows
    ]


def test_an_attempt_that_ended_counts_before_a_later_one_that_crashed():
    first = attempt("a", 1, "test_start", "value", "test_end")
    later = attempt("b", 9, "test_start", "value")
    assert marks(merge([*first, *later])) == [("a", False, False)] * 3 + [("b", True, False)] * 2


def test_of_attempts_that_crashed_the_last_counts_and_is_partial():
    first, later = attempt("a", 1, "test_start", "value"), attempt("b", 9, "test_start", "value")
    assert marks(merge([*later, *first])) == [("a", True, False)] * 2 + [("b", False, True)] * 2


def write(run, writer, *lines, **manifest):
    """A run with one part, as a process would leave it."""
    journal = Journal(run, writer)
    for line in lines:
        journal.write(line["kind"], {name: line[name] for name in line if name not in HEADS})
    journal.close()
    cases = [{**CASE, "nodeid": line["nodeid"]} for line in lines if line["kind"] == "test_start"]
    (run / "collection.json").write_text(json.dumps(cases))
    about = {"v": 1, "run": run.name, "started": 1.0, "versions": {"torch": "2.13"}, **manifest}
    (run / "manifest.json").write_text(json.dumps(about))
    return run


HEADS = ("v", "kind", "seq", "t", "writer")


@pytest.fixture
def pair(tmp_path):
    """Two runs of two models, the second of which crashed in the middle of a line."""
    ended = attempt("a", 1, "test_start", "value", "test_end", nodeid="t.py::a[gpt-b]")
    first = write(tmp_path / "first", "main", *ended, started=1.0)
    crashed = attempt("b", 5, "test_start", "value", "of tomorrow", nodeid="t.py::a[llama-a]")
    second = write(
        tmp_path / "second", "gw0", *crashed, started=2.0, versions={"torch": "2.12", "mlx": "1"}
    )
    (part,) = (second / "parts").iterdir()
    part.write_bytes(part.read_bytes() + b'{"v":1,"kind":"val')
    journal = Journal(second, "gw1")
    journal.keep_items(np.arange(3))
    journal.close()
    return first, second


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_several_runs_become_one_that_reads_like_any_other(pair, tmp_path):
    join(pair, tmp_path / "both")
    record = read_run(tmp_path / "both")
    assert [end.case.nodeid for end in record.ends] == ["t.py::a[gpt-b]"]
    assert [case.nodeid for case in record.crashed] == ["t.py::a[llama-a]"]
    assert [value.partial for value in record.values] == [False, True]
    assert [case.nodeid for case in record.planned] == ["t.py::a[gpt-b]", "t.py::a[llama-a]"]
    assert record.torn == 1
    assert record.manifest["versions"] == {"torch": "2.12, 2.13", "mlx": "1, None"}
    assert len(list((tmp_path / "both" / "artifacts").glob("*.npz"))) == 1
    kinds = [line["kind"] for line in read_lines(tmp_path / "both" / "merged.jsonl")]
    assert kinds.count("of tomorrow") == 1


def test_what_is_joined_is_the_same_in_any_order_and_again(pair, tmp_path):
    first, second = pair
    once, turned, again = (tmp_path / name for name in ("once", "turned", "again"))
    join([first, second], once)
    join([second, first, first], turned)
    join([once, second], again)
    assert content(once) == content(turned) == content(again)
    join([second, once], once)
    assert content(once) == content(turned)


def test_a_run_is_merged_where_it_is_and_counts_its_lines_once(pair):
    _, second = pair
    before = read_run(second)
    merge_in_place(second)
    written = (second / "merged.jsonl").read_bytes()
    assert read_run(second) == before
    merge_in_place(second)
    assert (second / "merged.jsonl").read_bytes() == written
    shutil.rmtree(second / "parts")
    assert read_run(second) == before
    merge_in_place(second)
    assert (second / "merged.jsonl").read_bytes() == written


def test_a_copy_of_a_part_that_was_longer_later_is_the_same_part(pair, tmp_path):
    _, second = pair
    early = shutil.copytree(second, tmp_path / "early")
    (part,) = (early / "parts").glob("gw0*")
    lines = part.read_bytes().split(b"\n")
    part.write_bytes(b"\n".join(lines[:2]) + b'\n{"v"')
    both = together([read_folder(early), read_folder(second)])
    assert merged_file(both) == merged_file(read_folder(second))


def test_what_is_in_the_way_of_a_merge_is_kept(pair, tmp_path):
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "thesis.tex").touch()
    for target in (pair[0], tmp_path / "busy", tmp_path / "busy" / "thesis.tex"):
        with pytest.raises(RequestError, match="a folder of its own"):
            join(pair, target)


def test_an_unknown_version_is_named_with_its_file(pair):
    for version in (2, 0, "1", None):
        path = pair[0] / "parts" / "main-1-a.jsonl"
        path.write_text(json.dumps({**row("x", 1, "note"), "v": version}))
        with pytest.raises(DataError, match=r"received: version .*\n.*main-1-a.jsonl") as told:
            read_run(pair[0])
        assert f"version {version}" in str(told.value)
        assert "expected: version 1" in str(told.value)


def test_lines_that_are_no_lines_are_counted_and_left_out(pair):
    (part,) = (pair[0] / "parts").iterdir()
    wrong = ["7", "{}", "[1]", '{"v":1,"kind":"value","seq":"1","t":1}']
    wrong += ['{"v":1,"kind":"value","seq":1,"t":NaN}', '{"v":1,"kind":"value","seq":1,"t":true}']
    part.write_bytes(part.read_bytes() + "\n".join(wrong).encode() + b"\xff\xfe\n")
    assert (read_run(pair[0]).torn, len(read_run(pair[0]).values)) == (len(wrong), 1)


def run_command(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["interp", "merge", *map(str, words)])
    main()


def said(*words):
    from interp.cli import app

    result = CliRunner().invoke(app, ["merge", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_command_says_what_there_is(pair, tmp_path):
    told = said(*pair, "--to", tmp_path / "both").splitlines()
    assert told[0] == "2 values; specs: 1 ended, 1 crashed"
    assert told[1] == "1 line cut short and left out: a process died while it wrote"
    assert told[2] == f"written: {tmp_path / 'both' / 'merged.jsonl'}"
    assert said(pair[0]).startswith("1 value; specs: 1 ended\n")


def test_a_run_that_goes_on_is_said_to(pair, tmp_path):
    first, _ = pair
    lock, journal = hold(first), Journal(first, "gw1")
    journal.write("test_start", {**CASE, "nodeid": "t.py::late"})
    try:
        told = said(first)
        assert "1 ended, 1 running" in told
        assert "this run is still going on (process " in told
        assert journal.writer in told
        assert read_run(first).crashed == ()
        with pytest.raises(RequestError, match="still going on is not copied"):
            said(first, "--to", tmp_path / "copy")
    finally:
        journal.close()
        lock.release()
    assert "1 ended, 1 crashed" in said(first)


def test_several_runs_need_a_folder_to_be_merged_into(pair, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run_command(monkeypatch, *pair)
    assert "--to" in capsys.readouterr().err
