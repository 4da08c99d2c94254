"""Runs as they are left on the disk, made of the values that a test names."""

import itertools
import json
from dataclasses import asdict

import numpy as np
import pytest

from interp.reports.journal import Journal
from interp.reports.record import Case, read_run
from interp.reports.values import Value

IDENTITY = {
    "id": "llama-a",
    "weights_digest": "a" * 64,
    "dtype": "float32",
    "backend": "torch",
    "attn_implementation": "sdpa",
    "device": "cpu",
}
MANIFEST = {"versions": {"torch": "2.13"}, "machine": "x86_64", "deselected": 0, "paths": ["specs"]}


def value(metric="rate", number=0.5, *, params="", **others):
    """One value of a finding, in the words of `Value`."""
    bare = (None, None, None, None, "1", None, {}, None, IDENTITY, "")
    return asdict(Value("area.claim", 1, metric, number, *bare)) | others | {"params": params}


def items_of(items, metric="rate", **others):
    """A value that is the mean of its items."""
    return value(metric, float(np.mean(items)), items=np.asarray(items), n=len(items), **others)


class Bench:
    """A folder of reports in which runs appear."""

    def __init__(self, reports):
        self.reports = reports
        self.numbers = itertools.count(1)

    def run(self, values, *, verdict="holds", manifest=None, identity=None):
        """A run that measured these values, read back from the disk."""
        folder = self.reports / "runs" / f"run-{next(self.numbers):04}"
        journal = Journal(folder, "main")
        loaded = IDENTITY | (identity or {})
        journal.write("model_load", {"model": loaded["id"], "seconds": 0.1, "identity": loaded})
        cases = {}
        for row in values:
            cases.setdefault(case_of(row), []).append(row)
        for case, rows in cases.items():
            journal.write("test_start", asdict(case))
            for row in rows:
                self.measure(journal, case, row, identity or {})
            end = {"verdict": verdict, "accepted": False, "reason": "as it is", "seconds": 0.1}
            if verdict != "killed":
                journal.write("test_end", {**asdict(case), **end})
        journal.close()
        known = {**MANIFEST, "run": folder.name, **(manifest or {})}
        (folder / "manifest.json").write_text(json.dumps(known))
        (folder / "collection.json").write_text(json.dumps([asdict(case) for case in cases]))
        return read_run(folder)

    @staticmethod
    def measure(journal, case, row, identity):
        """Write one value, its items first."""
        fields = {name: part for name, part in row.items() if name != "params"}
        if row["items"] is not None:
            fields["items"] = journal.keep_items(row["items"])
        fields["model"] = row["model"] and row["model"] | identity
        journal.write("value", {**fields, "nodeid": case.nodeid})


def case_of(row):
    """The case that measures a value."""
    model = row["model"] and row["model"]["id"]
    nodeid = f"specs/test_it.py::{row['spec_id']}[{model}-{row['params']}]"
    return Case(nodeid, row["spec_id"], row["spec_version"], "finding", model, row["params"])


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "reports")


@pytest.fixture(scope="session")
def benches(tmp_path_factory):
    """A fresh folder each time it is called, for tests that draw many examples."""
    return lambda: Bench(tmp_path_factory.mktemp("bench") / "reports")


@pytest.fixture(scope="session")
def measured():
    return value


@pytest.fixture(scope="session")
def with_items():
    return items_of
