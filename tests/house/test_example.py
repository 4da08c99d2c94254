"""The example report says what is accepted: an old one is red until `make report` is run."""

import json
import re
from collections import defaultdict
from html.parser import HTMLParser

import pytest

from interp.reports.text import number

ROW = re.compile(r"\| (\S+)(?: \\\[(.+?)\\\])? \| (.*) \|$", re.MULTILINE)
SHOWN = re.compile(r": \S+ ([-0-9.e]+)(?: |$)")


class Numbers(HTMLParser):
    """The values of each finding on a page, by the name that heads them."""

    def __init__(self, page):
        super().__init__()
        self.found, self._inside, self._name = defaultdict(list), False, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "h3":
            self._inside, self._name = True, ""
        elif tag == "td" and given.get("data-sort"):
            self.found[self._name].append(float(given["data-sort"]))

    def handle_endtag(self, tag):
        if tag == "h3":
            self._inside = False

    def handle_data(self, text):
        if self._inside:
            self._name += text.strip()


def accepted(root):
    """The accepted values of the world models, by finding and case."""
    found = defaultdict(list)
    for path in (root / "reports" / "baselines").glob("*-world.jsonl"):
        rows = map(json.loads, path.read_text().splitlines())
        for row in (row for row in rows if row["kind"] == "value"):
            params = f"[{row['params']}]" if row.get("params") else ""
            found[row["finding"] + params].append(row["value"])
    return found


@pytest.fixture(scope="module")
def page(root):
    return (root / "reports" / "example" / "report.html").read_text()


def stale(page, values):
    """The findings whose numbers on the page are not the accepted ones."""
    shown = Numbers(page).found
    return {name for name in values if sorted(shown[name]) != pytest.approx(sorted(values[name]))}


def test_the_page_shows_the_accepted_numbers(page, root):
    values = accepted(root)
    assert len(values) > 5
    assert stale(page, values) == set()


def test_an_old_number_is_seen(page, root):
    values = accepted(root)
    name = next(iter(values))
    values[name][0] += 0.001
    assert stale(page, values) == {name}


def test_the_markdown_shows_accepted_numbers(root):
    text = (root / "reports" / "example" / "summary.md").read_text()
    values, seen = accepted(root), set()
    for name, params, cells in ROW.findall(text):
        case = f"{name}[{params}]" if params else name
        for one in filter(None, map(SHOWN.search, cells.split("|"))):
            assert one[1] in {number(value) for value in values[case]}
            seen.add(case)
    assert seen == values.keys()
