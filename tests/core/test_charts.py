"""Charts as values: they say what they show, come back from JSON, and hold nothing undrawable."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.charts import (
    Bars,
    Curves,
    Forest,
    HeatMap,
    Interval,
    Line,
    Panel,
    Part,
    Plot,
    Row,
    describe,
    floats,
    from_json,
    table,
    to_json,
)
from interp.errors import DataError, NonFiniteError, RequestError

NUMBERS = st.floats(-1e100, 1e100)
TEXTS = st.text(st.characters(), max_size=20)  # lone surrogates too


def heat_map(*cells, words=(), scale="linear", rows=("0", "1")):
    panels = (Panel("own", tuple(cells), words),)
    return HeatMap("Ranks", "n = 3", "token", "layer", ("a", "b"), rows, "rank", panels, scale)


def curve(*lines, ticks=(), scale="linear"):
    return Curves("Rates", "n = 2", "alpha (a. u.)", (Plot("share", lines, scale),), ticks)


@st.composite
def lines(draw):
    points = draw(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5))
    low, y, high = zip(*map(sorted, points), strict=True)
    x = tuple(draw(NUMBERS) for _ in points)
    banded = draw(st.booleans())
    role = draw(st.sampled_from(["measured", "control"]))
    return Line(draw(TEXTS), x, y, low if banded else (), high if banded else (), role)


@st.composite
def charts(draw):
    """A chart of any kind with any texts and numbers that it may hold."""
    title, note, across, up = (draw(TEXTS) for _ in range(4))
    kind = draw(st.sampled_from(["heat map", "curves", "forest", "bars"]))
    names = draw(st.lists(TEXTS, min_size=1, max_size=4).map(tuple))
    if kind == "heat map":
        cell = st.tuples(*[st.none() | NUMBERS] * (len(names) - 1), NUMBERS)
        panel = st.builds(Panel, TEXTS, st.tuples(cell, cell), st.just((names, names)))
        panels = draw(st.lists(panel, min_size=1, max_size=2).map(tuple))
        scale = draw(st.sampled_from(["linear", "around zero"]))
        return HeatMap(title, note, across, up, names, (title, note), up, panels, scale)
    if kind == "curves":
        plot = st.builds(Plot, TEXTS, st.lists(lines(), min_size=1, max_size=3).map(tuple))
        plots = draw(st.lists(plot, min_size=1, max_size=2).map(tuple))
        return Curves(title, note, across, plots)
    if kind == "bars":
        shares = st.tuples(*[st.floats(1e-100, 1e99)] * len(names))
        parts = draw(st.lists(st.builds(Part, TEXTS, shares), min_size=1, max_size=3).map(tuple))
        return Bars(title, note, across, up, names, parts)
    interval = st.builds(Interval, NUMBERS, NUMBERS, NUMBERS, st.none() | st.integers(0, 9))
    row = st.builds(Row, TEXTS, TEXTS, interval, st.none() | interval)
    return Forest(title, note, across, draw(st.lists(row, min_size=1, max_size=3).map(tuple)))


@given(charts())
def test_a_chart_comes_back_from_json_and_speaks_for_itself(chart):
    assert from_json(json.loads(json.dumps(to_json(chart)))) == chart
    assert isinstance(describe(chart), str)
    head, rows = table(chart)
    assert rows
    assert {len(row) for row in rows} == {len(head)}


def test_a_heat_map_says_where_it_is_highest_and_has_its_rows_from_the_top():
    chart = heat_map((0.25, None), (0.81, 0.5))
    assert describe(chart) == (
        "Ranks. Heat map of rank, layer by token. "
        "own: highest 0.81 at layer 1, token a, lowest 0.25 at layer 0, token a. n = 3."
    )
    assert table(chart).rows == (("1", 0.81, 0.5), ("0", 0.25, None))


def test_the_words_of_cells_stand_beside_their_numbers():
    chart = heat_map((1200.0, None), (3.0, 1.0), words=(("the", "a"), ("is", "Paris")))
    assert table(chart).rows == (("1", "3 is", "1 Paris"), ("0", "1200 the", "a"))


def test_a_curve_says_where_it_starts_ends_and_peaks():
    chart = curve(Line("push", (-1.0, 0.0, 1.0), (0.25, 0.75, 0.5)))
    assert describe(chart) == (
        "Rates. Curves of share by alpha (a. u.). push: highest 0.75 at alpha 0, "
        "lowest 0.25 at alpha -1; 0.25 at alpha -1, 0.5 at alpha 1. n = 2."
    )


def test_named_places_are_told_by_their_names():
    chart = curve(
        Line("lens", (0.0, 1.0), (0.0, 1.0), (0.0, 0.9), (0.1, 1.0)), ticks=("embed", "0")
    )
    assert table(chart).rows == (("lens", "embed", 0.0, 0.0, 0.1), ("lens", "0", 1.0, 0.9, 1.0))


def test_a_forest_sets_the_published_value_beside_the_measured_one():
    rows = (Row("lens", "top1", Interval(0.9, 0.8, 1.0, 63), Interval(0.66)),)
    chart = Forest("All", "", "share", rows)
    assert "1 measured, 1 also published" in describe(chart)
    assert table(chart).rows == (("lens", "top1", 0.9, 0.8, 1.0, 63, 0.66, None, None),)


def test_bars_tell_the_largest_part_of_each_column():
    parts = (Part("clean", (3.0, 1.0)), Part("corrupted", (1.0, 4.0)))
    chart = Bars("Outcomes", "n = 9", "patched thoughts", "pairs", ("0", "1"), parts)
    assert "patched thoughts 1: corrupted 4 of 5" in describe(chart)
    assert table(chart).rows == (("0", 3.0, 1.0), ("1", 1.0, 4.0))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda bad: heat_map((1.0, bad), (1.0, 1.0)),
        lambda bad: curve(Line("a", (0.0, 1.0), (0.0, bad))),
        lambda bad: curve(Line("a", (0.0, bad), (0.0, 1.0))),
        lambda bad: curve(Line("a", (0.0,), (0.0,), (0.0,), (abs(bad),))),
        lambda bad: Forest("", "", "", (Row("", "", Interval(bad)),)),
        lambda bad: Forest("", "", "", (Row("", "", Interval(0.0), Interval(0.0, 0.0, bad)),)),
        lambda bad: Bars("", "", "", "", ("0",), (Part("a", (abs(bad),)),)),
    ],
)
def test_numbers_that_are_none_are_refused_where_the_chart_is_made(make, wrong):
    with pytest.raises(NonFiniteError):
        make(wrong)


@pytest.mark.parametrize(
    "make",
    [
        lambda: heat_map((None, None), (None, None)),
        lambda: heat_map(rows=()),
        lambda: heat_map((1.0, 2.0)),
        lambda: heat_map((1.0,), (2.0,)),
        lambda: heat_map((1.0, 2.0), (3.0, 4.0), words=(("a", "b"),)),
        lambda: heat_map((0.0, 1.0), (2.0, 3.0), scale="log"),
        lambda: Curves("", "", "", ()),
        curve,
        lambda: curve(Line("a", (), ()), Line("b", (0.0,), (0.0,))),
        lambda: curve(Line("a", (0.0, 1.0), (0.0,))),
        lambda: curve(Line("a", (0.0,), (0.0,), (0.0,))),
        lambda: curve(Line("a", (0.0,), (0.5,), (1.0,), (0.0,))),
        lambda: curve(Line("a", (0.5,), (0.5,)), ticks=("0", "1")),
        lambda: curve(Line("a", (2.0,), (0.5,)), ticks=("0", "1")),
        lambda: curve(Line("a", (0.0,), (0.0,)), scale="log"),
        lambda: curve(*[Line(str(i), (0.0,), (0.0,)) for i in range(9)]),
        lambda: curve(Line("a", (0.0,), (1e200,))),
        lambda: Forest("", "", "", ()),
        lambda: Bars("", "", "", "", ("0",), ()),
        lambda: Bars("", "", "", "", ("0",), (Part("a", (1.0, 2.0)),)),
        lambda: Bars("", "", "", "", ("0",), (Part("a", (-1.0,)),)),
        lambda: Bars("", "", "", "", ("0",), (Part("a", (0.0,)),)),
    ],
)
def test_what_cannot_be_drawn_is_refused_where_it_is_made(make):
    with pytest.raises(RequestError):
        make()


def test_numbers_of_numpy_are_refused_with_the_way_to_make_them_plain():
    with pytest.raises(RequestError, match=r"interp\.charts\.floats"):
        to_json(curve(Line("a", (0.0,), (np.float64(1.0),))))
    plain = curve(Line("a", (0.0,), floats(np.ones(1, np.float32))))
    assert from_json(to_json(plain)) == plain


@pytest.mark.parametrize("row", [None, {}, {"type": "pie"}, {"type": "forest", "rows": []}])
def test_what_is_no_chart_is_refused(row):
    with pytest.raises(DataError, match="no chart"):
        from_json(row)
