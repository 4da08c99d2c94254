"""Values beside the sizes of models: what so few of them allow to say, and where it is told."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.errors import RequestError
from interp.reports.exit_status import Outcome
from interp.reports.markdown import summary
from interp.reports.page import Told, render
from interp.reports.published import load_published
from interp.reports.record import Case, RunRecord
from interp.reports.scaling import lines_of, scales_of, size_of
from interp.reports.values import Value
from interp.stats import clustered, kendall

PUBLISHED = load_published(Path(__file__).parents[1] / "reports" / "published.toml")
GAP = "s003.twohop.gap.9b"


def record(sizes, values, family="llama", published=None, scales=("gap",), name="run"):
    cases, found = [], []
    for size, one in zip(sizes, values, strict=True):
        about = {"id": f"{family}-{size}", "family": family, "parameters": size}
        nodeid = f"specs/findings/test_f.py::test_f[{family}-{size}]"
        cases.append(Case(nodeid, "f.claim", 1, "finding", about["id"], scales=scales))
        found.append(Value(
            "f.claim", 1, "gap", one, None, None, 9, None, "layers", published, {}, None, about,
            nodeid,
        ))  # fmt: skip
    return RunRecord(Path(name), {"models": []}, tuple(cases), tuple(found), (), (), (), 0)


def test_three_models_can_show_no_trend_however_ordered():
    (scale,) = scales_of([record([1, 2, 3], [0.1, 0.2, 0.3])], {})
    (trend,) = scale.trends
    assert (trend.tau, trend.p, trend.least) == (1.0, 1 / 3, 1 / 3)
    assert "no trend can be shown" in trend.said


def test_five_models_can_and_the_published_five_do_not():
    (scale,) = scales_of([record([1, 2, 3, 4, 5], range(5), published=GAP)], PUBLISHED)
    assert "rises with size" in scale.trends[0].said
    assert scale.published.tau == pytest.approx(0.4)
    assert scale.published.p == pytest.approx(0.4833, abs=1e-4)
    assert "no trend is shown; family and size change together" in scale.sayings[-1]
    assert "2 B, 3 B, 7 B, 8 B, 9 B" in scale.sayings[-1]


def test_models_of_two_runs_stand_together_and_the_last_of_each_counts():
    first, second = record([1, 2], [5.0, 6.0]), record([2, 3], [1.0, 0.0])
    (scale,) = scales_of([first, second], {})
    assert [point.value for point in scale.points] == [5.0, 1.0, 0.0]
    assert scale.trends[0].tau == -1.0


def test_families_are_told_apart_and_together_only_with_the_reservation():
    (scale,) = scales_of([record([1, 2], [1.0, 2.0]), record([9], [0.0], family="gpt2")], {})
    assert [trend.family for trend in scale.trends] == ["llama", "all models"]
    assert "family and size change together" in scale.trends[1].said


def test_only_what_a_finding_names_is_set_beside_size():
    assert scales_of([record([1, 2], [1.0, 2.0], scales=())], {}) == ()
    assert scales_of([record([1], [1.0])], {}) == ()
    assert scales_of([record([0, 0], [1.0, 2.0])], {}) == ()


def test_it_is_told_on_the_page_in_the_summary_and_in_the_terminal():
    runs = [record([1, 2], [1.0, 2.0]), record([3], [3.0], name="other")]
    (scale,) = scales_of(runs, {})
    page = render([Told(run) for run in runs], {}, href=lambda _: "")
    assert 'id="scaling"' in page
    assert scale.sayings[0] in page
    whole = record([1, 2, 3], [1.0, 2.0, 3.0])
    assert "What scales" in summary(whole, None, Outcome(0, "all is well"))
    lines = list(lines_of([scale], 60))
    assert lines[0] == "what scales"
    assert max(map(len, lines)) <= 60
    alone = render([Told(record([1], [1.0]))], {}, href=lambda _: "")
    assert 'id="scaling"' not in alone


def test_sizes_as_people_say_them():
    assert [size_of(n) for n in (12, 1_200, 1_900_000, 9_000_000_000)] == [
        "12", "1.2 k", "1.9 M", "9 B",
    ]  # fmt: skip


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=5))
def test_kendall_s_p_is_that_of_all_orders(values):
    x, y = np.arange(len(values)), np.array(values, float)
    pairs = list(itertools.combinations(range(len(y)), 2))
    scores = [
        abs(sum(np.sign(order[j] - order[i]) for i, j in pairs))
        for order in itertools.permutations(y)
    ]
    found = kendall(x, y)
    assert found.p == pytest.approx(np.mean([score >= scores[0] for score in scores]))
    assert found.least <= found.p
    assert kendall(x, -y).effect == pytest.approx(-found.effect)


def test_kendall_needs_pairs_and_draws_orders_of_many():
    with pytest.raises(RequestError):
        kendall(np.array([1.0]), np.array([1.0]))
    assert kendall(np.arange(12), np.arange(12.0)).p < 1e-4


def test_clusters_widen_an_interval_and_single_items_do_not():
    items = np.repeat([0.0, 1.0], 50)
    alone = clustered(items, [str(i) for i in range(100)])
    together = clustered(items, [str(i // 10) for i in range(100)])
    assert alone.mean == together.mean == 0.5
    assert together.high - together.low > 2 * (alone.high - alone.low)
    with pytest.raises(RequestError, match="cluster"):
        clustered(items, ["a"])
