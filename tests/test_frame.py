"""A run as a table: typed columns, a round trip through Parquet, nothing that acts in a sheet."""

import csv as csv_reader
import io
import json
import math
import subprocess
import sys
from dataclasses import asdict

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import interp
from interp.cli import app
from interp.reports.frame import csv, frame_of, harmless, load_run, parquet, rows_of, write_parquet
from interp.reports.journal import Journal
from interp.reports.record import Case, read_run
from interp.reports.values import Value

MODEL = {"id": "llama-a", "source": "llama-a", "dtype": "float32", "quantization": None}


def value(metric="rate", number=0.5, *, labels=None, case="one", **changes):
    known = {
        "spec_id": "f.claim", "spec_version": 2, "metric": metric, "value": number, "low": None,
        "high": None, "n": None, "p": None, "unit": "1", "published": None, "labels": labels or {},
        "items": None, "model": MODEL, "nodeid": f"t.py::{case}",
    }  # fmt: skip
    return Value(**{**known, **changes})


def case(name="one"):
    return Case(f"t.py::{name}", "f.claim", 2, "finding", "llama-a", "last")


@pytest.fixture
def run(tmp_path):
    """A function that writes a run: the cases that ended, that crashed, and the values."""

    def write(*values, ended=("one",), crashed=()):
        names = (*ended, *crashed)
        (tmp_path / "manifest.json").write_text(json.dumps({"run": "r1", "profile": "quick"}))
        (tmp_path / "collection.json").write_text(json.dumps([asdict(case(n)) for n in names]))
        journal = Journal(tmp_path, "main")
        for name in names:
            journal.write("test_start", asdict(case(name)))
            for one in values:
                if one.nodeid == case(name).nodeid:
                    journal.write("value", asdict(one))
            if name in ended:
                told = {"verdict": "holds", "accepted": False, "reason": "", "seconds": 1.0}
                journal.write("test_end", {**asdict(case(name)), **told})
        journal.close()
        return tmp_path

    return write


def test_a_row_has_the_value_its_model_and_its_verdict(run):
    one = value(low=0.25, high=0.75, n=20, noise=1e-6, published="p.rate", labels={"layer": 3})
    (row,) = rows_of(load_run(run(one)))
    assert (row["run"], row["finding"], row["version"], row["params"]) == (
        "r1",
        "f.claim",
        2,
        "last",
    )
    assert (row["value"], row["low"], row["high"], row["n"]) == (0.5, 0.25, 0.75, 20)
    assert (row["noise"], row["published"]) == (1e-6, "p.rate")
    assert (row["verdict"], row["accepted"], row["status"]) == ("holds", False, "complete")
    assert (row["model_id"], row["model_dtype"], row["model_quantization"]) == (
        "llama-a",
        "float32",
        None,
    )
    assert row["label_layer"] == 3


def test_what_crashed_is_partial_and_has_no_verdict(run):
    frame = load_run(run(value(), value(case="two"), crashed=("two",)))
    assert frame["status"].tolist() == ["complete", "partial"]
    assert frame["verdict"].isna().tolist() == [False, True]


def test_labels_have_the_type_that_all_of_them_have(run):
    frame = load_run(
        run(
            value("a", labels={"layer": 1, "alpha": 1, "on": True, "at": "last", "odd": 1}),
            value("b", labels={"layer": 2, "alpha": 0.5, "on": False, "at": "e1", "odd": "x"}),
            value("c"),
        )
    )
    types = {name: str(frame[name].dtype) for name in frame if name.startswith("label_")}
    text = str(frame["run"].dtype)
    assert types == {
        "label_alpha": "float64",
        "label_at": text,
        "label_layer": "Int64",
        "label_odd": text,
        "label_on": "boolean",
    }
    assert frame["label_layer"].isna().tolist() == [False, False, True]
    assert frame["label_odd"].tolist()[:2] == ["1", "x"]


@pytest.mark.parametrize(
    ("given", "number", "text", "kind"),
    [
        (0.1, 0.1, None, "float"), (3, 3.0, None, "int"), (True, 1.0, None, "bool"),
        ("yes", math.nan, "yes", "str"),
    ],
)  # fmt: skip
def test_numbers_and_words_have_columns_of_their_own(run, given, number, text, kind):
    frame = load_run(run(value(number=given)))
    assert frame["value"].dtype == "float64"
    assert frame["value"].tolist() == pytest.approx([number], nan_ok=True)
    assert rows_of(frame)[0]["text"] == text
    assert frame["type"].tolist() == [kind]


def test_an_empty_run_has_the_same_columns(run):
    empty, full = load_run(run()), load_run(run(value()))
    assert len(empty) == 0
    assert empty.columns.tolist() == full.columns.tolist()
    assert empty.dtypes.tolist() == full.dtypes.tolist()


@pytest.mark.parametrize("values", [(), (value(labels={"layer": 3, "at": "last"}), value("b"))])
def test_parquet_gives_back_the_same_frame(run, tmp_path, values):
    record = read_run(run(*values))
    path = write_parquet(record, tmp_path / "out" / "values.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(path), frame_of(record))
    metadata = pq.read_schema(path).metadata
    assert (metadata[b"interp.frame"], metadata[b"interp.run"]) == (b"1", b"r1")
    assert parquet(frame_of(record), "r1") == path.read_bytes()


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_text_is_a_formula(run, begin):
    bad = f"{begin}cmd|' /C calc'!A0"
    frame = load_run(run(value(metric=bad, number=bad, labels={"at": bad}), value("n", -0.5)))
    rows = list(csv_reader.DictReader(io.StringIO(csv(frame))))
    for column in ("metric", "text", "label_at"):
        assert rows[0][column].startswith("'")
        assert "cmd|" in rows[0][column]
        assert "\t" not in rows[0][column]
    assert (rows[1]["value"], float(rows[1]["value"])) == ("-0.5", -0.5)
    assert rows[1]["text"] == ""


def test_a_label_s_name_is_no_formula_either():
    assert harmless("=x") == "'=x"
    assert harmless("") == ""
    assert harmless("a\x1b[31m") == "a [31m"


def test_the_word_is_public_and_costs_nothing_until_it_is_used():
    assert interp.load_run is load_run
    code = "import interp.reports.frame, sys; print({'pandas', 'pyarrow'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_run_is_exported(run, tmp_path, form):
    folder, path = run(value(labels={"layer": 3})), tmp_path / f"out.{form}"
    done = CliRunner().invoke(app, ["export", str(folder), "--format", form, "-o", str(path)])
    assert (done.exit_code, "1 values" not in done.stderr) == (0, True)
    read = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}[form]
    assert read(path)[["value", "label_layer"]].to_numpy().tolist() == [[0.5, 3.0]]


def test_an_export_is_printed_where_no_file_is_named(run):
    folder = run(value(number="=1+1"))
    printed = CliRunner().invoke(app, ["export", str(folder), "--format", "csv"]).stdout
    assert printed.splitlines()[1].count("'=1+1") == 1
    listed = json.loads(CliRunner().invoke(app, ["export", str(folder), "--format", "json"]).stdout)
    assert listed[0]["text"] == "=1+1"
