"""The files of baselines: what is written reads back, and nothing corrupt is read over."""

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interp.errors import DataError
from interp.reports.baselines import (
    Baseline,
    Reference,
    environment_of,
    load_baseline,
    save_baseline,
)
from interp.reports.items import items_folder, load_items
from interp.reports.verdicts import AcceptedVerdict, load_accepted

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    TEXTS,
)
FLOATS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
REFERENCES = st.builds(
    Reference,
    finding=TEXTS,
    version=st.integers(1, 3),
    metric=TEXTS,
    value=SCALARS,
    labels=st.dictionaries(TEXTS, SCALARS, max_size=2),
    environment=st.dictionaries(TEXTS, TEXTS, max_size=2),
    params=TEXTS,
    low=FLOATS,
    n=st.none() | st.integers(0, 9),
    tolerance=st.none() | st.just({"kind": "within", "abs": 0.1}),
    prompts=st.just(()) | st.just(({"name": "a", "digest": "b", "n": 3, "tokens": "c"},)),
    reason=TEXTS,
)
VERDICTS = st.builds(
    AcceptedVerdict,
    TEXTS,
    st.integers(1, 3),
    st.sampled_from(["holds", "fails", "inconclusive"]),
    TEXTS,
    st.none() | TEXTS,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(REFERENCES, max_size=4, unique_by=lambda one: one.key), st.sets(VERDICTS))
def test_what_is_written_reads_back_and_is_written_the_same(tmp_path_factory, values, verdicts):
    path = tmp_path_factory.mktemp("baseline") / "llama-a.jsonl"
    save_baseline(path, Baseline(tuple(values), tuple(verdicts)))
    first, back = path.read_bytes(), load_baseline(path)
    assert sorted(back.values, key=lambda one: one.key) == sorted(values, key=lambda one: one.key)
    assert set(back.verdicts) == set(load_accepted(path)) == verdicts
    save_baseline(path, Baseline(back.values[::-1], back.verdicts[::-1]))
    assert path.read_bytes() == first


def reference(value=0.1, metric="rate", **others):
    return Reference("area.claim", 1, metric, value, {"layer": 3}, {"dtype": "float32"}, **others)


def test_one_value_is_one_line_with_sorted_keys_and_the_shortest_floats(tmp_path):
    path = tmp_path / "llama-a.jsonl"
    save_baseline(path, Baseline((reference(0.1 + 0.2), reference(1e-7, "other"))))
    head = '{"environment": {"dtype": "float32"}, "finding": "area.claim", "kind": "value", '
    assert path.read_text().splitlines() == [
        head + '"labels": {"layer": 3}, "metric": "other", "value": 1e-07, "version": 1}',
        head
        + '"labels": {"layer": 3}, "metric": "rate", "value": 0.30000000000000004, "version": 1}',
    ]


def test_a_value_that_moves_is_a_difference_of_one_line(tmp_path):
    for name, value in (("before", 0.1), ("after", 0.2)):
        values = [reference(0.5, f"m{place}") for place in range(9)] + [reference(value)]
        save_baseline(tmp_path / name, Baseline(tuple(values)))
    words = ["diff", str(tmp_path / "before"), str(tmp_path / "after")]
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    assert [line[0] for line in told.splitlines() if line[0] in "<>"] == ["<", ">"]


GOOD = {
    "kind": "value",
    "finding": "area.claim",
    "version": 1,
    "metric": "rate",
    "value": 0.5,
    "labels": {},
    "environment": {},
}


@pytest.mark.parametrize(
    "line",
    [
        "<<<<<<< HEAD",
        '{"kind": "value"',
        "[]",
        '{"kind": "rumour"}',
        json.dumps(GOOD),
        json.dumps(GOOD | {"metric": "b", "value": None}),
        json.dumps(GOOD | {"metric": "b"}).replace("0.5", "NaN"),
        json.dumps(GOOD | {"metric": "b", "version": "one"}),
        json.dumps(GOOD | {"metric": "b", "colour": "red"}),
        json.dumps(GOOD | {"metric": "b", "tolerance": {"kind": "loose"}}),
        '{"kind": "verdict", "finding": "a", "version": 1, "verdict": "perhaps"}',
        '{"kind": "verdict", "finding": "a", "version": 1, "verdict": "fails", "by": "me"}',
        '{"kind": "run", "run": "r"}',
    ],
    ids=range(13),
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_lost(tmp_path, line):
    path = tmp_path / "llama-a.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    before = path.read_bytes()
    with pytest.raises(DataError, match="a line of this baseline") as caught:
        load_baseline(path)
    assert f"{path}:2" in str(caught.value)
    assert path.read_bytes() == before


def test_a_model_without_a_file_has_an_empty_baseline(tmp_path):
    assert load_baseline(tmp_path / "none.jsonl") == Baseline()


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    path = tmp_path / "llama-a.jsonl"
    save_baseline(path, Baseline((reference(),)))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        save_baseline(path, Baseline((reference(float("nan")),)))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["llama-a.jsonl"]


def test_items_are_checked_against_their_name(bench, with_items):
    run = bench.run([with_items([True, False])])
    (path,) = (run.folder / "artifacts").glob("*.npz")
    assert load_items(path).tolist() == [True, False]
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match="items of an accepted value"):
        load_items(path)
    assert load_items(items_folder(run.folder) / "none.npz") is None


def test_a_class_of_environments_is_a_kind_of_processor():
    identity = {"device": "cuda:3", "dtype": "float32", "quantization": "", "backend": None}
    assert environment_of(identity, "x86_64") == {"device": "cuda", "dtype": "float32"}
    assert environment_of({"device": "cpu"}, "arm64") == {"device": "cpu-arm64"}
