"""`interp accept` moves the baseline: what it takes, what it refuses, what it leaves alone."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from interp.cli import app
from interp.errors import DataError, RequestError
from interp.reports.baselines import baseline_file, load_baseline
from interp.reports.compare import compare_with_baselines
from interp.reports.items import items_folder

HITS = np.arange(120) % 3 > 0
MERGED = {"runs": [{"versions": {"torch": "2.13"}}, {"versions": {"torch": "2.14"}}]}
DIRTY = {"git": {"commit": "c" * 40, "dirty": True}}


def accept(bench, *words):
    """What the command prints; its errors are raised."""
    words = ["accept", *map(str, words), "--reports-dir", str(bench.reports)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def lines(bench, model="llama-a"):
    path = baseline_file(bench.reports, model)
    return path.read_text().splitlines() if path.exists() else []


def kept(bench, model="llama-a"):
    baseline = load_baseline(baseline_file(bench.reports, model))
    return {one.name: one.value for one in baseline.values}


def compared(bench, run):
    found = compare_with_baselines(run, bench.reports)
    return {one.name: one.kind for one in found.values}


def test_accepted_is_the_same_when_it_is_measured_again(bench, measured, with_items):
    values = [measured("a", 0.5), measured("b", "Paris"), with_items(HITS, "c")]
    first, again = bench.run(values), bench.run(values)
    assert set(compared(bench, first).values()) == {"new"}
    accept(bench, first.folder.name)
    assert set(compared(bench, again).values()) == {"same"}
    before = lines(bench)
    assert "0 lines accepted" in accept(bench, again.folder.name)
    assert lines(bench) == before


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.floats(-9, 9), st.integers(), st.text(max_size=3)), min_size=1))
def test_whatever_is_accepted_compares_as_the_same(benches, measured, numbers):
    bench = benches()
    run = bench.run([measured(f"m{place}", one) for place, one in enumerate(numbers)])
    accept(bench)
    found = compare_with_baselines(run, bench.reports)
    assert {one.kind for one in found.values} == {"same"}
    assert (found.verdicts, found.around) == ((), ())


def test_only_what_the_run_measured_is_touched(bench, measured):
    bench.run([measured("a", 1), measured("b", 2, spec_id="area.other")])
    accept(bench)
    before = lines(bench)
    bench.run([measured("a", 3)])
    told = accept(bench)
    assert "llama-a area.claim a: 1 -> 3  drifted" in told
    changed = [line for line in lines(bench) if line not in before and '"kind": "run"' not in line]
    assert len(changed) == 1
    assert kept(bench) == {"a": 3, "b": 2}


def test_items_are_kept_beside_the_lines(bench, with_items):
    run = bench.run([with_items(HITS)])
    accept(bench)
    (path,) = items_folder(bench.reports).glob("*.npz")
    assert path.read_bytes() == (run.folder / "artifacts" / path.name).read_bytes()
    after = HITS.copy()
    after[:30] = False
    assert compared(bench, bench.run([with_items(after)])) == {"rate": "changed"}


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ((), "2222"),
        (("-k", "beta or gamma"), "122"),
        (("-k", "claim and not (beta or gamma or delta)"), "211"),
        (("--model", "gpt-b"), "111"),
        (("--model", "llama-a", "-k", "LLAMA"), "2222"),
        (("--only", "new"), "1112"),
        (("--only", "drifted"), "222"),
        (("--only", "verdicts"), "111"),
        (("--dry-run",), "111"),
    ],
    ids=str,
)
def test_what_is_accepted_can_be_chosen(bench, measured, words, taken):
    names = ("alpha", "beta", "gamma", "delta")
    bench.run([measured(name, 1) for name in names[:3]])
    accept(bench)
    bench.run([measured(name, 2) for name in names])
    accept(bench, *words)
    found = kept(bench)
    assert "".join(str(found[name]) for name in names if name in found) == taken


def test_as_json_each_line_is_an_object(bench, measured):
    bench.run([measured("a", 1)])
    words = ["accept", "--json", "--reports-dir", str(bench.reports)]
    rows = json.loads(CliRunner().invoke(app, words).stdout)
    assert [(row["kind"], row["name"], row["after"]) for row in rows] == [
        ("new", "a", 1),
        ("verdict", "", "holds"),
    ]


@pytest.mark.parametrize("expression", ["and", "a or", "(a", "a b", "not"])
def test_what_is_no_expression_is_refused(bench, measured, expression):
    bench.run([measured()])
    with pytest.raises(RequestError, match="joined by and, or, not"):
        accept(bench, "-k", expression)


def test_what_was_not_measured_cannot_be_accepted(bench, measured):
    bench.run([measured()])
    with pytest.raises(RequestError, match="interp prune --missing"):
        accept(bench, "--only", "missing")


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ({"vary": "eager"}, "--vary eager"),
        (DIRTY, "differed from commit"),
        (MERGED, "a merge of runs with other versions"),
    ],
    ids=["varied", "dirty", "mixed"],
)
def test_a_run_that_is_no_reference_is_refused(bench, measured, manifest, why):
    bench.run([measured()], manifest=manifest)
    with pytest.raises(RequestError, match=why):
        accept(bench)
    assert lines(bench) == []


def test_a_tree_that_differs_from_its_commit_can_be_forced(bench, measured):
    bench.run([measured()], manifest=DIRTY)
    accept(bench, "--force")
    assert kept(bench) == {"rate": 0.5}


def test_what_was_varied_cannot_be_forced(bench, measured):
    bench.run([measured()], manifest={"vary": "eager"})
    with pytest.raises(RequestError):
        accept(bench, "--force")


def test_a_model_that_was_loaded_in_two_ways_is_refused(bench, measured):
    run = bench.run([measured()])
    load = '{"v":1,"kind":"model_load","seq":99,"t":9e9,"model":"llama-a","seconds":1,"identity":'
    (part,) = (run.folder / "parts").glob("*.jsonl")
    part.write_text(part.read_text() + load + '{"id":"llama-a","dtype":"float32"}}\n')
    with pytest.raises(RequestError, match="loaded with more than one"):
        accept(bench)


@pytest.mark.parametrize("verdict", ["error", "invalid", "skipped", "killed"])
def test_what_came_to_no_verdict_is_left_out_and_told(bench, measured, verdict):
    bench.run([measured()], verdict=verdict)
    told = accept(bench, "--force", "--reason", "in a hurry")
    assert "left out: llama-a area.claim: " in told
    assert "0 lines accepted" in told
    assert lines(bench) == []


def test_a_verdict_other_than_holds_needs_a_reason(bench, measured):
    run = bench.run([measured()], verdict="fails")
    with pytest.raises(RequestError, match="with a reason"):
        accept(bench)
    assert lines(bench) == []
    accept(bench, "--only", "new")
    assert load_baseline(baseline_file(bench.reports, "llama-a")).verdicts == ()
    accept(bench, "--reason", "steering does nothing here")
    (verdict,) = load_baseline(baseline_file(bench.reports, "llama-a")).verdicts
    assert (verdict.verdict, verdict.reason) == ("fails", "steering does nothing here")
    assert compare_with_baselines(run, bench.reports).verdicts == ()


@pytest.mark.parametrize(("old", "new"), [("holds", "fails"), ("fails", "holds")])
def test_a_verdict_that_changes_either_way_is_drift(bench, measured, old, new):
    bench.run([measured()], verdict=old)
    accept(bench, "--reason", "as it is")
    (change,) = compare_with_baselines(bench.run([measured()], verdict=new), bench.reports).verdicts
    assert (change.before, change.after) == (old, new)
    accept(bench, "--reason", "as it is now")
    assert (
        compare_with_baselines(bench.run([measured()], verdict=new), bench.reports).verdicts == ()
    )


def test_each_environment_has_a_line_of_its_own_and_is_compared_with_it(bench, measured):
    bench.run([measured("a", 0.5)])
    accept(bench)
    half = {"identity": {"dtype": "bfloat16"}}
    run = bench.run([measured("a", 0.7)], **half)
    assert compared(bench, run) == {"a": "incomparable"}
    accept(bench)
    assert compared(bench, run) == {"a": "same"}
    assert compared(bench, bench.run([measured("a", 0.5)])) == {"a": "same"}


def test_a_tolerance_in_the_line_counts_and_is_kept(bench, measured):
    bench.run([measured("a", 0.5)])
    accept(bench)
    path = baseline_file(bench.reports, "llama-a")
    loose = '"tolerance": {"kind": "within", "abs": 0.2}, "value": 0.5'
    path.write_text(path.read_text().replace('"value": 0.5', loose))
    run = bench.run([measured("a", 0.6, tolerance={"kind": "exact"})])
    assert compared(bench, run) == {"a": "within"}
    accept(bench)
    (line,) = load_baseline(path).values
    assert (line.value, line.tolerance) == (0.6, {"kind": "within", "abs": 0.2})


def test_what_is_about_no_model_has_a_file_of_its_own(bench, measured):
    run = bench.run([measured("a", 1, model=None)])
    accept(bench)
    assert kept(bench, None) == {"a": 1}
    assert compared(bench, run) == {"a": "same"}


def test_a_corrupt_baseline_is_not_written_over(bench, measured):
    bench.run([measured()])
    path = baseline_file(bench.reports, "llama-a")
    path.parent.mkdir(parents=True)
    path.write_text('{"kind": "value"}\n')
    with pytest.raises(DataError, match=r"llama-a.jsonl:1"):
        accept(bench)
    assert path.read_text() == '{"kind": "value"}\n'


def test_a_run_without_its_items_is_not_accepted_by_half(bench, with_items):
    run = bench.run([with_items(HITS)])
    for path in (run.folder / "artifacts").glob("*"):
        path.unlink()
    with pytest.raises(DataError, match="items of an accepted value cannot be kept"):
        accept(bench)
    assert lines(bench) == []


def test_the_versions_accepted_on_are_named_beside_what_moved(bench, measured):
    bench.run([measured()])
    accept(bench)
    newer = {"manifest": {"versions": {"torch": "2.14"}}, "identity": {"device": "cuda:0"}}
    around = compare_with_baselines(bench.run([measured()], **newer), bench.reports).around
    assert [(one.what, one.before, one.after) for one in around] == [
        ("llama-a · device", "cpu-x86_64", "cuda"),
        ("torch", "2.13", "2.14"),
    ]
