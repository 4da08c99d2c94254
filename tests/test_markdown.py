"""The summary of a run as Markdown, and what GitHub is told: whole, escaped, never too long."""

import os
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from interp.reports.around import Change
from interp.reports.compare import Compared, Comparison, VerdictChange
from interp.reports.exit_status import Outcome
from interp.reports.github import annotations, append_summary, in_actions
from interp.reports.markdown import ROOM, step_summary, summary
from interp.reports.markup import Table, escaped, fitted
from interp.reports.record import Case, End, RunRecord
from interp.reports.values import Value

READ = MarkdownIt("commonmark", {"html": True}).enable("table")
NASTY = [
    "a|b", "`code`", "**bold**", "_it_", "<script>alert(1)</script>", "[x](http://evil)",
    "![x](http://evil)", "@octocat", "#12", "https://evil.example", "www.evil.example", "$x$",
    "a\nb", "a\r\n| b |", "\x1b[31mred", "\u202eright", "\\", "\\|", "a\\", "~~gone~~", "- item",
    "1. item", "# head", "&lt;", "two\u2028lines", "```", "=cmd|' /C calc'!A0", "\ud800",
]  # fmt: skip
RED = Outcome(10, "1 value drifted")


def case(name="f.claim", model="llama-a", role="finding", place="specs/test_f.py:12"):
    return Case(f"specs/test_f.py::{name}[{model}]", name, 1, role, model, place=place)


def value(name="f.claim", model="llama-a", metric="rate"):
    about = {"id": model}
    nodeid = case(name, model).nodeid
    return Value(name, 1, metric, 0.5, 0.4, 0.6, 9, None, "1", None, {}, None, about, nodeid)


def record(*ends, values=(), argv=("specs", "--gate"), crashed=()):
    cases = (*(end.case for end in ends), *crashed)
    manifest = {"run": "20260101-a1", "profile": "quick", "argv": list(argv)}
    return RunRecord(Path("run"), manifest, cases, tuple(values), ends, crashed, (), 0)


def test_a_model_without_a_baseline_is_one_sentence():
    text = summary(record(end()), moved(compared("a", "new"), compared("b", "new")), RED)
    assert "No value is accepted yet for llama-a: `interp accept`" in text
    assert "Moved against" not in text
    assert "Nothing moved" not in text


@pytest.mark.parametrize("text", ["0.555", "-0.848", "2.71e-20", "+3", "=1", "12 of 40"])
def test_numbers_are_left_as_they_are(text):
    assert escaped(text) == text


def compared(name="rate", kind="drifted", model="llama-a", **sides):
    known = {"before": None, "after": None, "allowed": "4 x noise 3e-06", **sides}
    return Compared(model, "f.claim", 1, name, kind=kind, **known)


def moved(*values, verdicts=(), around=()):
    return Comparison(tuple(values), tuple(verdicts), tuple(around), "the baselines")


def end(verdict="holds", *, accepted=False, reason="", **about):
    return End(case(**about), verdict, accepted, reason, 1.0)


def cells_of(markdown):
    """The text of every cell, as a reader sees it, row by row."""
    rows, inside = [], False
    for token in READ.parse(markdown):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in {"td_open", "th_open"}:
            inside = True
        elif token.type == "inline" and inside:
            assert {child.type for child in token.children or ()} <= {"text", "text_special"}, token
            rows[-1].append("".join(child.content for child in token.children or ()))
            inside = False
    return rows


@pytest.mark.parametrize("text", NASTY)
def test_whatever_a_cell_says_it_is_one_cell_of_plain_text(text):
    table = str(Table("moved", ("what", "now"), ((text, "0.5"), ("last", "1"))))
    rows = cells_of(table)
    assert [len(row) for row in rows] == [2, 2, 2]
    assert rows[2] == ["last", "1"]
    seen = re.sub(r"\s+", " ", rows[1][0])
    wanted = "".join(c if c.isprintable() and c != "\u202e" else " " for c in text)
    assert seen == re.sub(r"\s+", " ", wanted).strip()


@pytest.mark.parametrize("text", NASTY)
def test_nothing_acts_outside_of_tables_either(text):
    rendered = READ.render(escaped(text))
    assert not re.search(r"<(?!/?p>)", rendered)
    source = escaped(text)
    assert "://" not in source
    assert not re.search(r"(?<!\\)[$#]\w|@\w|www\.", source.replace("&#", ""))


def test_names_that_are_harmless_stay_readable():
    assert escaped("rescued_null at layer 3 (n = 64)") == "rescued_null at layer 3 (n = 64)"
    assert escaped("x" * 400).endswith("x…")


def test_the_summary_says_the_verdict_first_and_the_command_last():
    run = record(end(), end("fails", name="g.claim", reason="0.1 > 0.2"), values=[value()])
    text = summary(run, moved(compared(), around=[Change("torch", "2.12", "2.13")]), RED)
    assert text.startswith("# exit 10: 1 value drifted\n")
    assert cells_of(text)[:3] == [
        ["finding", "llama-a"],
        ["f.claim", "✓ holds: rate 0.500 [0.400, 0.600]"],
        ["g.claim", "✗ does not hold"],
    ]
    assert ["torch", "2.12", "2.13"] in cells_of(text)
    assert ["llama-a", "g.claim", "does not hold", "0.1 > 0.2"] in cells_of(text)
    assert text.endswith("## Run it again\n\n```\npytest specs --gate\n```\n")


def test_models_are_columns_and_findings_rows():
    run = record(end(), end(model="gpt-b"), end(name="g.claim", model="gpt-b"))
    head, first, second = cells_of(summary(run, None, RED))
    assert head == ["finding", "llama-a", "gpt-b"]
    assert first == ["f.claim", "✓ holds", "✓ holds"]
    assert second == ["g.claim", "", "✓ holds"]


def test_what_is_red_comes_first_and_twenty_rows_are_the_most():
    values = [*(compared(f"v{n}", "new") for n in range(30)), compared("worst")]
    verdict = VerdictChange("llama-a", "f.claim", "", "holds", "fails", case().nodeid)
    text = summary(record(end()), moved(*values, verdicts=[verdict]), RED)
    rows = [row for row in cells_of(text) if len(row) == 6][1:]
    assert len(rows) == 20
    assert rows[0][2:] == ["verdict", "holds", "does not hold", "changed"]
    assert rows[1][2] == "worst"
    assert "12 rows left out: interp diff shows them" in text


def test_what_crashed_and_what_never_ran_are_in_the_table():
    run = record(end(), crashed=(case("g.claim"),))
    assert ["g.claim", "# error"] in cells_of(summary(run, None, RED))


def test_a_code_block_cannot_be_left():
    text = summary(record(end(), argv=["-k", "x\n```\n# head"]), None, RED)
    (block,) = [one for one in READ.parse(text) if one.type == "fence"]
    assert block.content.startswith("pytest -k")


def large(rows=20_000):
    ends = [end("fails", name=f"f.claim{n}", reason="ü" * 60 + "|") for n in range(rows)]
    return record(*ends)


def test_a_summary_that_is_too_long_loses_whole_rows_and_says_so():
    text = step_summary(large(), None, RED)
    assert len(text.encode()) <= ROOM
    text.encode().decode()  # no character is cut
    assert len(text.encode()) > ROOM * 0.8
    assert "rows left out" in text
    assert text.endswith("```\n")
    assert {len(row) for row in cells_of(text)} == {2, 4}


@pytest.mark.parametrize("room", [0, 10, 150, 400, 3000, 20_000])
def test_no_room_is_too_small(room):
    text = step_summary(large(200), None, RED, room=room)
    assert len(text.encode()) <= room
    assert not text or text.startswith("# exit 10")


def test_the_shorter_table_keeps_its_rows():
    small, big = (
        Table(name, ("a",), tuple((f"{name}{n}",) for n in range(rows)), "elsewhere")
        for name, rows in (("small", 3), ("big", 500))
    )
    text = fitted([small, big], 1000)
    assert all(f"small{n}" in text for n in range(3))
    assert re.search(r"big0.*4\d\d rows left out: elsewhere", text, re.DOTALL)


def test_the_summary_of_a_step_is_added_to_what_is_there(tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("before")
    env = {"GITHUB_STEP_SUMMARY": str(path)}
    assert append_summary(record(end()), None, RED, env) == path
    assert path.read_text().startswith("before\n# exit 10")
    assert append_summary(record(end()), None, RED, {}) is None


def test_what_a_step_has_said_already_counts(tmp_path):
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * (ROOM - 2000))
    append_summary(large(500), None, RED, {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.stat().st_size <= ROOM
    path.write_bytes(b"x" * ROOM)
    assert append_summary(large(500), None, RED, {"GITHUB_STEP_SUMMARY": str(path)}) is None
    assert path.stat().st_size == ROOM


def test_annotations_name_the_line_of_the_spec():
    run = record(end("fails", reason="0.1 > 0.2: 50%"), end("error", name="g.claim"), end())
    first, second = annotations(run, None)
    place = "file=specs/test_f.py,line=12,title=f.claim llama-a"
    assert first == f"::error {place}::does not hold: 0.1 > 0.2: 50%25"
    assert second.endswith("title=g.claim llama-a::error")


def test_what_is_accepted_so_is_no_error_and_drift_is_one():
    run = record(end("fails", accepted=True))
    assert annotations(run, None) == []
    verdict = VerdictChange("llama-a", "f.claim", "", "fails", "holds", case().nodeid)
    drift = annotations(run, moved(compared(), compared("n", "new"), verdicts=[verdict]))
    assert len(drift) == 2
    assert all(line.startswith("::error file=specs/test_f.py,line=12,") for line in drift)
    assert drift[0].endswith("the verdict was fails and is holds")
    assert drift[1].endswith("rate:  -> not measured, drifted (4 x noise 3e-06)")


def test_ten_annotations_are_the_most():
    ends = [end("fails", name=f"f.claim{n}") for n in range(14)]
    found = annotations(record(*ends), None)
    assert len(found) == 10
    assert found[-1] == "::error title=interp::and 5 more; see the summary"


@pytest.mark.parametrize("text", [*NASTY, "a\n::set-output name=x::y", "::error::", "x,line=9:8"])
def test_no_text_starts_another_command_or_ends_a_property(text):
    bad = End(case(name=text, model=text, place=""), "fails", False, text, 1.0)
    (line,) = annotations(record(bad), None)
    assert len(line.splitlines()) == 1
    head = line.split("::")[1]
    assert head.count(",") == 2
    assert re.fullmatch(r"error file=[^,:]*,line=1,title=[^,:]*", head)
    line.encode()


def test_only_github_actions_is_told():
    assert in_actions({"GITHUB_ACTIONS": "true"})
    assert not in_actions({})
    assert in_actions() == (os.environ.get("GITHUB_ACTIONS") == "true")
