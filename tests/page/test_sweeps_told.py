"""How sweeps were computed is told beside each case, and in the terminal where it went slowly."""

from dataclasses import replace

import pytest

from interp.reports.page import Told
from interp.reports.summary import tables
from tests.page.made import NASTY

SINKS = "plain: this attention is not known (s_aux)"


@pytest.fixture
def with_sweeps(every_state):
    """The same run, its cases with sweeps computed in these ways."""

    def made(*ways):
        ends = tuple(replace(end, sweeps=ways) for end in every_state.record.ends)
        return Told(replace(every_state.record, ends=ends), every_state.outcome)

    return made


def test_the_page_says_how_beside_the_seconds(with_sweeps, page):
    assert "in 2.0 s, sweeps by cone</span>" in page(with_sweeps("cone"))
    assert f"in 2.0 s, sweeps by cone; {SINKS}</span>" in page(with_sweeps("cone", SINKS))
    assert "sweeps by" not in page(with_sweeps())
    assert "<script>alert(1)" not in page(with_sweeps(NASTY))


def test_the_terminal_says_why_a_model_could_not_share(with_sweeps):
    told = with_sweeps(SINKS, "cone").record
    said = " ".join(tables(told, 79))
    assert f"sweeps one by one: {SINKS} ({len(told.ends)} specs)" in said
    fine = with_sweeps("cone", "plain: nothing is shared").record
    assert "one by one" not in " ".join(tables(fine, 79))
