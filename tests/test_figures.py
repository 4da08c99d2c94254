"""Figures: the same bytes everywhere, small, one column wide, and no text can harm them."""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from interp.charts import Bars, Curves, Forest, HeatMap, Interval, Line, Panel, Part, Plot, Row
from interp.reports import figures
from interp.reports.figures.drawing import drawn
from interp.reports.figures.style import tight

HOSTILE = (
    "$\\frac{1}{0}$ _^{} $",
    "\\N{bad} \\",
    "a\x00b\x1b[31m\r\n\t\x07c",
    "\u202eevil\u2066\u200f\u061c",
    "שלום עולם مرحبا",
    "日本語 한국어 🙂 \U000e0041",
    "--><script>alert(1)</script><!--",
    "]]></svg><image href='http://example.org/x.png'/>",
    "x" * 5000,
    "W" * 40,
    "\ud800",
    "",
    " \u00a0\u2003 ",
)
TEXTS = st.text(st.characters(), max_size=40) | st.sampled_from(HOSTILE)
SAME = (
    "import sys, pickle; from interp.reports import figures; charts = pickle.load(sys.stdin.buffer)"
)


def curves(text="rate", y=(0.1, 0.4, 0.9), **options):
    x = tuple(map(float, range(len(y))))
    band = Line(text + " by chance", x, y, tuple(n / 2 for n in y), y, "control")
    line = Line(text, x, y, tuple(n - 0.1 for n in y), tuple(n + 0.1 for n in y))
    return Curves(text, text, text, (Plot(text, (band, line)),), **options)


def heat_map(text="rank", rows=8, columns=8, *, scale="linear", words=False, panels=1):
    cells = tuple(tuple(1.0 + i * j for j in range(columns)) for i in range(rows))
    holed = ((None, *cells[0][1:]), *cells[1:])
    said = tuple((text,) * columns for _ in range(rows)) if words else ()
    each = tuple(Panel(f"{text}{i}", holed, said) for i in range(panels))
    names = tuple(f"{text}{i}" for i in range(columns)), tuple(f"{text}{i}" for i in range(rows))
    return HeatMap(text, text, text, text, *names, text, each, scale)


def forest(text="share", rows=12):
    one, other = Interval(0.5, 0.25, 0.75, 9), Interval(0.6)
    lines = [Row(f"{text}{i // 3}", text, one, other if i % 2 else None) for i in range(rows)]
    return Forest(text, text, text, tuple(lines))


def bars(text="outcome", columns=7, parts=4):
    sizes = [tuple(float((i * j) % 5 + 1) for j in range(columns)) for i in range(parts)]
    stacked = tuple(Part(f"{text}{i}", size) for i, size in enumerate(sizes))
    return Bars(text, text, text, text, tuple(map(str, range(columns))), stacked)


EACH = {
    "curves": curves(),
    "named places": curves(ticks=("embed", "0", "1")),
    "log": Curves("", "", "", (Plot("", (Line("", (1.0, 9.0), (3.0, 4e5)),), "log"),), (), "log"),
    "heat map": heat_map(),
    "words": heat_map(rows=9, columns=6, scale="log", words=True),
    "two panels": heat_map(panels=2),
    "forest": forest(),
    "bars": bars(),
}


@pytest.mark.parametrize("chart", EACH.values(), ids=EACH)
def test_a_figure_is_one_column_wide_small_and_loads_nothing(chart):
    image = figures.svg(chart).decode()
    assert 'width="237.6pt"' in image  # 3.3 inches
    assert len(image) < 60_000
    loaded = re.findall(r'(?:href|src)="(?!#|data:image/png;base64,)([^"]*)"', image)
    assert loaded == re.findall(r"<(?:script|foreignObject|a |style[^>]*>[^*])", image) == []
    assert figures.pdf(chart).startswith(b"%PDF-")


def test_a_grid_of_many_cells_stays_small():
    assert len(figures.svg(heat_map(rows=80, columns=60))) < 60_000


def test_a_long_curve_stays_small():
    assert len(figures.svg(curves(y=tuple(i / 5000 for i in range(5000))))) < 60_000


def test_the_same_chart_has_the_same_bytes_in_every_process(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_figures as t;"
        "from interp.reports import figures;"
        "made = [figures.svg(t.EACH[name]) for name in ('log', 'words', 'forest', 'bars')];"
        "made += [figures.pdf(t.EACH['two panels']), figures.pdf(t.EACH['curves'])];"
        "sys.stdout.buffer.write(b''.join(made))"
    )
    here = str(Path(__file__).parent)
    made = set()
    for seed, stamp in (("1", "0"), ("2", "9")):
        (tmp_path / seed).mkdir()
        (tmp_path / seed / "matplotlibrc").write_text(
            f"font.size: 1{stamp}\nsvg.hashsalt: {seed}\n"
        )
        known = {"PYTHONHASHSEED": seed, "MATPLOTLIBRC": str(tmp_path / seed), "TZ": f"UTC{stamp}"}
        done = subprocess.run(
            [sys.executable, "-c", code, here],
            env=os.environ | known, capture_output=True, check=True,
        )  # fmt: skip
        made.add(done.stdout)  # each takes seconds: a date in the file would be another one
    assert len(made) == 1


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_stops_a_figure_or_gets_into_it(text):
    grid = heat_map(text, rows=2, columns=3, words=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = [figures.svg(chart) for chart in (grid, forest(text, 2), bars(text, 2, 2))]
        assert figures.pdf(curves(text)).startswith(b"%PDF-")
    assert not [image for image in images if b"script" in image or b"example.org" in image]


def test_the_picture_on_a_page_is_smaller_and_escapes_its_words():
    chart = curves("<script>alert(1)</script> & more")
    image = figures.page_svg(chart)
    assert len(image) < len(figures.svg(chart)) / 2
    assert b"<script" not in image
    assert b"&lt;script" in image
    assert image == figures.page_svg(chart)
    assert image.count(b"<svg") == 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, TEXTS)
@example("$x", "$")
def test_hostile_names_are_drawn_as_they_stand(text, other):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.svg(curves(text, ticks=(other, text, other)))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=6).map(tuple))
@example((0.0,))
@example((5e-324, -5e-324))
@example((1e100, -1e100))
@example((1.0, 1.0 + 2**-52))
def test_any_numbers_are_drawn(numbers):
    names = tuple(map(str, range(len(numbers))))
    rows = tuple(Row("", "", Interval(number)) for number in numbers)
    x = tuple(map(float, range(len(numbers))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scale in ("linear", "around zero"):
            figures.svg(HeatMap("", "", "", "", names, ("",), "", (Panel("", (numbers,)),), scale))
        figures.svg(Curves("", "", "", (Plot("", (Line("", x, numbers),)),)))
        figures.svg(Curves("", "", "", (Plot("", (Line("", numbers, x),)),)))
        figures.svg(Forest("", "", "", rows))


def test_what_the_user_has_set_is_left_as_it_was_and_pyplot_is_not_loaded():
    code = (
        "import matplotlib as mpl, sys; mpl.rcParams['font.size'] = 31.0;"
        "import test_figures as t; from interp.reports import figures; figures.svg(t.curves());"
        "print(mpl.rcParams['font.size'], 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["31.0", "False"]


def test_lines_differ_without_their_colour():
    x = (0.0, 1.0)
    lines = tuple(Line(str(i), x, (float(i), i + 1.0)) for i in range(8))
    (axes,) = drawn(Curves("", "", "", (Plot("", lines),))).axes
    assert len({line.get_marker() for line in axes.lines}) == 8
    assert len({str(line._dash_pattern) for line in axes.lines}) == 8


def test_parts_of_bars_differ_without_their_colour():
    (axes,) = drawn(bars(parts=8)).axes
    assert len({patch.get_hatch() for patch in axes.patches}) == 8


def test_a_hole_is_not_a_number():
    (axes, _) = drawn(heat_map()).axes
    assert axes.images[0].get_array().mask.sum() == 1
    assert axes.patch.get_hatch()


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.0, "0"),
        (0.41, ".41"),
        (-0.2, "\u2212.20"),
        (1.0, "1"),
        (1.44, "1.4"),
        (10.5, "10"),
        (1390.0, "1390"),
        (123456.0, "1e+05"),
    ],
)
def test_numbers_in_cells_are_short(number, written):
    assert tight(number) == written


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", ".hidden", "CON$", "a\u202eb"])
def test_a_figure_is_saved_under_a_safe_name_of_its_own(name, tmp_path):
    inside = tmp_path / "figures"
    paths = figures.save(inside, name, curves()) + figures.save(inside, name + "!", curves())
    assert {path.parent for path in paths} == {inside}
    assert sorted(inside.iterdir()) == sorted(set(paths))
    assert len(set(paths)) == 4
    assert all(re.fullmatch(r"[\w-][\w.-]*\.(svg|pdf)", path.name) for path in paths)
