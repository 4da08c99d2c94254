"""The charts of a whole run: every finding beside its papers, every value over the models."""

from dataclasses import replace
from pathlib import Path

import msgspec

from interp.charts import Interval, describe, from_json, to_json
from interp.reports import figures
from interp.reports.figures.overview import forest, overview, scaling
from interp.reports.published import Published
from interp.reports.record import Case, RunRecord
from interp.reports.values import Value

PAPER = Published(
    id="p", source="s", model="m", metric="x", value=0.66, unit="1", status="read",
    comparable="direction", n=100,
)  # fmt: skip


def value(metric="rate", model="llama-a", mean=0.5, **other):
    fields = {"low": mean - 0.1, "high": mean + 0.1, "unit": "1", "published": None, "labels": {}}
    fields |= other
    about = {"id": model} if model else None
    nodeid = f"specs/test_f.py::test_f[{model}]"
    return Value(
        spec_id="f.claim", spec_version=1, metric=metric, value=mean, n=9, p=None, items=None,
        model=about, nodeid=nodeid, **fields,
    )  # fmt: skip


def record(*values, role="finding", listed=("llama-b", "llama-a")):
    cases = {one.nodeid: one.model_id for one in values}
    planned = tuple(Case(nodeid, "f.claim", 1, role, model) for nodeid, model in cases.items())
    manifest = {"models": [{"id": name} for name in listed]}
    return RunRecord(Path("run"), manifest, planned, values, (), (), (), 0)


def test_a_forest_has_what_findings_measured_with_an_interval():
    shown = value()
    left_out = (
        value("p", unit="p"),
        value("plain", low=None, high=None),
        value("other", model="llama-b"),
        replace(value("cut short"), partial=True),
    )
    chart = forest(record(shown, *left_out), {}, "llama-a")
    assert [(row.group, row.name) for row in chart.rows] == [("f.claim", "rate")]
    assert chart.rows[0].measured == Interval(0.5, 0.4, 0.6, 9)
    assert forest(record(value(), role="contract"), {}, "llama-a") is None


def test_a_ratio_beyond_all_is_no_share():
    assert forest(record(value(mean=1.2)), {}, "llama-a") is None


def test_of_many_shares_the_first_and_those_beside_a_paper_are_drawn():
    many = [value(labels={"n": n}, published="p" if n % 8 == 7 else None) for n in range(200)]
    chart = forest(record(*many), {"p": PAPER}, "llama-a")
    assert len(chart.rows) == 60
    assert chart.rows[0].name == "rate[n=0]"
    assert sum(row.published is not None for row in chart.rows) == 25
    assert "140 more shares are in the tables" in chart.note


def test_a_published_value_stands_beside_with_its_interval():
    (row,) = forest(record(value(published="p")), {"p": PAPER}, "llama-a").rows
    assert row.published.value == 0.66
    assert row.published.low < 0.66 < row.published.high


def test_what_cannot_be_compared_does_not_stand_beside():
    for field, given in {"comparable": "no", "unit": "logits"}.items():
        paper = msgspec.structs.replace(PAPER, **{field: given})
        (row,) = forest(record(value(published="p")), {"p": paper}, "llama-a").rows
        assert row.published is None


def test_scaling_follows_the_order_of_the_registry():
    run = record(value(model="llama-a", mean=0.2), value(model="llama-b", mean=0.8))
    ((name, chart),) = scaling(run)
    assert name == "scaling f.claim rate"
    assert chart.ticks == ("llama-b", "llama-a")
    assert chart.plots[0].lines[0].y == (0.8, 0.2)
    assert not chart.plots[0].lines[0].joined


def test_each_set_of_labels_is_a_line_of_its_own():
    values = [
        value(model=model, labels={"position": place})
        for model in ("llama-a", "llama-b")
        for place in ("e1", "last")
    ]
    ((_, chart),) = scaling(record(*values))
    assert [line.name for line in chart.plots[0].lines] == [
        "rate[position=e1]",
        "rate[position=last]",
    ]


def test_one_model_has_no_scaling_and_no_model_no_chart():
    assert set(overview(record(value()), {})) == {"forest llama-a"}
    assert overview(record(), {}) == {}


def test_every_chart_of_a_run_can_be_kept_and_drawn():
    run = record(value(model="a\u202e$"), value(model="llama-b"), listed=())
    charts = overview(run, {})
    assert set(charts) == {"forest a\u202e$", "forest llama-b", "scaling f.claim rate"}
    for chart in charts.values():
        assert from_json(to_json(chart)) == chart
        assert describe(chart)
        assert figures.svg(chart).startswith(b"<?xml")
