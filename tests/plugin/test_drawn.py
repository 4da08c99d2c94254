"""The fixture `drawn`: each figure once, at once, on every model, whatever becomes of the run."""

import pytest

from interp.charts import Curves, Line, Plot, from_json

HEAD = """
import os
import signal
from interp.charts import Curves, Line, Plot

def chart(*y):
    x = tuple(map(float, range(len(y))))
    return Curves("Rates $x_1$", "n = 2", "layer", (Plot("rate", (Line("own", x, y),)),))
"""
CHART = Curves(
    "Rates $x_1$", "n = 2", "layer", (Plot("rate", (Line("own", (0.0, 1.0), (0.25, 0.5)),)),)
)


def first_lines(record):
    """Why each spec did not hold."""
    return [end.reason for end in record.ends if end.reason]


@pytest.mark.parametrize("processes", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "two"])
def test_a_figure_is_recorded_once_for_each_case(project, processes):
    body = """
@pytest.mark.parametrize("position", ["e1", "last"])
def test_drawn(model, drawn, position):
    assert drawn("rates", chart(0.25, 0.5)) == chart(0.25, 0.5)
"""
    project.models("llama-a", "llama-b").spec(HEAD + body)
    project.start("specs", *processes).assert_outcomes(passed=4)
    drawn = project.record.charts
    cases = {(one.model, one.nodeid.endswith("-last]")) for one in drawn}
    assert cases == {(model, last) for model in ("llama-a", "llama-b") for last in (False, True)}
    assert len(drawn) == 4
    assert [from_json(one.chart) for one in drawn] == [CHART] * 4


def test_a_figure_is_there_after_a_kill(project):
    body = """
def test_killed(model, drawn):
    drawn("rates", chart(0.25, 0.5))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    project.models("llama-a").spec(HEAD + body)
    project.start("specs")
    assert [from_json(one.chart) for one in project.record.charts] == [CHART]


def test_two_figures_of_one_name_are_refused(project):
    body = """
def test_twice(model, drawn):
    drawn("rates", chart(0.25, 0.5))
    drawn("other", chart(0.25, 0.5))
    drawn("rates", chart(0.5, 0.75))
"""
    project.models("llama-a").spec(HEAD + body)
    project.run("specs").assert_outcomes(failed=1)
    (reason,) = first_lines(project.record)
    assert "drawn('rates') failed: this spec has drawn a figure of that name before" in reason
    assert [one.name for one in project.record.charts] == ["rates", "other"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("chart(0.25, float('nan'))", "a chart shows finite numbers"),
        ("'a chart'", "a chart holds texts, numbers and tuples only"),
    ],
)
def test_what_is_no_chart_is_refused_where_it_is_made(project, given, why):
    project.models("llama-a").spec(
        f"{HEAD}\ndef test_wrong(model, drawn):\n    drawn('rates', {given})\n"
    )
    project.run("specs").assert_outcomes(failed=1)
    assert why in first_lines(project.record)[0]
    assert project.record.charts == ()


def test_an_ordinary_test_draws_nothing(project):
    project.write("tests/test_it.py", f"{HEAD}\ndef test_it(drawn): drawn('r', chart(0.5))\n")
    result = project.run("tests")
    result.stdout.fnmatch_lines(["*drawn('r') failed: only specs draw*"])


def test_a_figure_with_any_text_changes_no_verdict(project):
    body = """
def test_hostile(model, drawn):
    drawn("rates", Curves("\\x00\\u202e$\\\\frac", "", "\\ud800", chart(1.0).plots))
"""
    project.models("llama-a").spec(HEAD + body)
    project.start("specs").assert_outcomes(passed=1)
    chart = from_json(project.record.charts[0].chart)
    assert (chart.title, chart.across) == ("\x00\u202e$\\frac", "\ud800")
