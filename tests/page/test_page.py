"""The page as a document: well formed, self-contained, accessible, the same bytes every time."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from interp.reports.exit_status import Outcome
from interp.reports.page.drawing import _file

VOID = {"meta", "input", "img", "br", "link", "hr"}
SELF_CLOSED = {"path", "circle"}
LOADS = ("src", "srcset", "data", "action", "poster", "background", "style", "formaction")


class Document(HTMLParser):
    """The elements of a page with their attributes and texts; refuses what is not closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self._open = [], {}, []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        self.elements.append((tag, dict(attrs), tuple(name for name, _ in self._open)))
        if tag not in VOID:
            self._open.append((tag, len(self.elements) - 1))

    def handle_startendtag(self, tag, attrs):
        assert tag in SELF_CLOSED
        self.elements.append((tag, dict(attrs), tuple(name for name, _ in self._open)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for _, place in self._open:
            self.texts[place] = self.texts.get(place, "") + data

    def all(self, *tags):
        return [attributes for tag, attributes, _ in self.elements if tag in tags]

    def text(self, tag):
        return [
            self.texts.get(place, "") for place, one in enumerate(self.elements) if one[0] == tag
        ]


def faults(document):
    """What is wrong with a page, as words."""
    ids = [one["id"] for _, one, _ in document.elements if "id" in one]
    inner = [one["href"][1:] for one in document.all("a") if one["href"].startswith("#")]
    outer = [one["href"] for one in document.all("a") if not one["href"].startswith("#")]
    levels = [int(tag[1]) for tag, _, _ in document.elements if re.fullmatch("h[1-6]", tag)]
    labels = [one["aria-labelledby"] for _, one, _ in document.elements if "aria-labelledby" in one]
    found = {
        "an id twice": len(ids) != len(set(ids)),
        "a link to nowhere": not set(inner) | set(labels) <= set(ids),
        "a strange link": any(
            not re.match(r"https://arxiv\.org/abs/[\d.v]+$", one) for one in outer
        ),
        "an image without words": any(not one.get("alt") for one in document.all("img")),
        "a head without scope": any(
            one.get("scope") not in {"col", "row"} for one in document.all("th")
        ),
        "a table without caption": len(document.all("table")) != len(document.all("caption")),
        "a level left out": levels[0] != 1 or any(b - a > 1 for a, b in pairwise(levels)),
        "a load": any(
            name in LOADS and not (name == "src" and value.startswith("data:image/svg+xml;base64,"))
            for _, one, _ in document.elements
            for name, value in one.items()
        ),
        "a handler": any(name.startswith("on") for _, one, _ in document.elements for name in one),
        "an element that loads": bool(document.all("link", "iframe", "object", "embed", "base")),
        "a field without label": {one["id"] for one in document.all("input", "select")}
        != {one["for"] for one in document.all("label")},
    }
    return [fault for fault, is_so in found.items() if is_so]


RUNS = ("every_state", "moved", "nasty", "several_values", "with_figures")


@pytest.fixture(params=RUNS)
def run(request):
    return request.getfixturevalue(request.param)


def test_the_page_is_well_formed_and_accessible(run, page):
    assert faults(Document(page(run))) == []


def test_so_is_a_page_of_several_runs(every_state, moved, nasty, page):
    assert faults(Document(page(every_state, moved, nasty))) == []


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ('<p id="matrix"></p>', "an id twice"),
        ('<a href="#nowhere">x</a>', "a link to nowhere"),
        ('<a href="javascript:x()">x</a>', "a strange link"),
        ('<img src="data:image/svg+xml;base64,">', "an image without words"),
        ("<table><caption>x</caption><tr><th>x</th></tr></table>", "a head without scope"),
        ("<table></table>", "a table without caption"),
        ("<h5>x</h5>", "a level left out"),
        ('<img alt="x" src="http://x/y.png">', "a load"),
        ('<p style="color: red"></p>', "a load"),
        ('<p onclick="x()"></p>', "a handler"),
        ("<iframe></iframe>", "an element that loads"),
        ('<input id="more">', "a field without label"),
    ],
)
def test_each_fault_is_seen(planted, fault, every_state, page):
    assert faults(Document(page(every_state).replace("</main>", f"{planted}</main>"))) == [fault]


def test_what_is_not_closed_is_seen(every_state, page):
    with pytest.raises(AssertionError):
        Document(page(every_state).replace("</section>", "", 1))


def test_the_policy_allows_these_styles_and_this_script_alone(every_state, page):
    document = Document(page(every_state))
    (policy,) = [one["content"] for one in document.all("meta") if "http-equiv" in one]
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed.pop("default-src") == allowed.pop("base-uri") == "'none'"
    assert (allowed.pop("form-action"), allowed.pop("img-src")) == ("'none'", "data:")
    for tag in ("style", "script"):
        (text,) = document.text(tag)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert allowed.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert allowed == {}


def test_the_same_runs_give_the_same_bytes(run, page):
    assert page(run) == page(run)


def test_no_text_becomes_markup(nasty, page):
    text = page(nasty)
    document = Document(text)
    assert len(document.all("script")) == len(document.all("style")) == 1
    assert "<script>alert(1)</script>" in document.text("h1")[0]
    assert "{{ 7 * 7 }}" in document.text("h1")[0]
    assert "49" not in document.text("h1")[0]


def test_no_invisible_character_stays_invisible(nasty, page):
    text = page(nasty)
    text.encode("utf-8")
    for letter in "\x1b\x00\u202e\u2066\u200b\ufeff\ud800":
        assert letter not in text
        assert f"[U+{ord(letter):04X}]" in text


def test_very_long_names_are_cut(every_state, page):
    record = every_state.record
    long = replace(record.values[0], metric="m" * 100_000)
    reason = replace(record.ends[1], reason="r" * 100_000, detail="d" * 100_000)
    ends = (record.ends[0], reason, *record.ends[2:])
    whole = page(replace(every_state, record=replace(record, values=(long,), ends=ends)))
    assert len(whole) < len(page(every_state)) + 10_000
    assert "more)" in whole


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("is.holds", "holds"),
        ("is.fails", "does not hold"),
        ("is.accepted", "accepted: does not hold"),
        ("is.inconclusive", "inconclusive"),
        ("is.invalid", "invalid"),
        ("is.error", "error"),
        ("is.skipped", "skipped"),
        ("is.crashed", "crashed"),
        ("is.planned", "not run"),
    ],
)
def test_each_state_has_its_word_in_the_matrix(name, word, every_state, page):
    rows = {}
    document = Document(page(every_state))
    for place, (tag, _, around) in enumerate(document.elements):
        if tag == "tr" and "tbody" in around:
            rows.setdefault(
                document.texts[place].split()[0], " ".join(document.texts[place].split())
            )
    assert re.match(rf"{name} \S {word}( rate 0.420 \[0.300, 0.500\])?$", rows[name])


def test_what_a_crashed_case_measured_is_marked_partial(every_state, page):
    said = page(every_state)
    assert said.count('<span class="mark weak">partial</span>') == 1


def test_an_invalid_verdict_leads_to_the_contract_that_failed(every_state, page):
    text = page(every_state)
    found = re.search(r"use <code>run \+ steer</code>, which rests on <a href=\"#([^\"]+)\">", text)
    row = text[text.index(f'<tr id="{found[1]}"') :].partition("</tr>")[0]
    assert "alpha-zero" in row
    assert "does not hold" in row


def test_a_ledger_is_one_click_from_its_number(several_values, page):
    text = page(several_values)
    assert text.count("4,608</td>") == text.count("<summary>1 kind of edit, fired 4,608 times") == 4
    for shown in ("resid_post(3)", "-14 to -1", "0.100 / 0.200 / 0.300"):
        assert shown in text


def test_what_drifted_is_told_with_what_was_different_around_it(moved, page):
    text = page(moved)
    part = " ".join(text[text.index('id="moved"') : text.index('id="findings"')].split())
    assert '0.900</td><td class="number">0.420</td>' in part
    assert 'holds</td><td class="number">does not hold</td>' in part
    assert '<th scope="row">versions · torch</th><td>2.12</td><td>2.13</td>' in part


def test_a_run_that_was_cut_off_says_so(every_state, page):
    text = page(replace(every_state, outcome=None))
    assert "no exit status" in text
    assert (
        "the run was cut off before it had one; by its journal alone: 1 instrument failed" in text
    )


def test_the_ending_is_told_in_words(every_state, page):
    assert "1 instrument failed; 1 spec invalid" in page(every_state)
    assert "all is well" in page(replace(every_state, outcome=Outcome(0, "all is well")))


def test_the_command_is_told_without_its_folder(every_state, page):
    assert "<code>pytest specs -k &#39;small one&#39;</code>" in page(every_state)


def test_no_path_of_the_machine_is_shown(every_state, page):
    assert "/home/me" not in page(every_state)
    assert "/data/x" not in page(every_state)


def test_values_beyond_the_limit_are_counted(several_values, page, monkeypatch):
    monkeypatch.setattr("interp.reports.page.building.MOST_VALUES", 3)
    text = page(several_values)
    assert "1 more value is left out of this page" in text
    assert text.count("<tbody id=") == 3


def test_figures_have_words_and_numbers_from_their_data(with_figures, page):
    text = page(with_figures)
    (image,) = Document(text).all("img")
    assert "0.9" in image["alt"]
    assert base64.b64decode(image["src"].partition(",")[2]).startswith(b"<?xml")
    assert "the numbers of this figure" in text


def test_a_chart_that_cannot_be_drawn_costs_nothing_else(with_figures, page):
    record = with_figures.record
    broken = replace(record.charts[0], name="broken", chart={"type": "<b>", "title": 3})
    text = page(replace(with_figures, record=replace(record, charts=(broken, *record.charts))))
    assert "could not be drawn" in text
    assert len(Document(text).all("img")) == 1


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_colour_of_text_can_be_read_on_every_ground():
    blocks = re.findall(r":root \{(.*?)\}", _file("page.css"), re.DOTALL)
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in blocks]
    assert len(schemes) == 3
    for scheme in schemes[:2]:
        for name in scheme.keys() - {"paper", "card", "rule"}:
            worst = min(contrast(scheme[name], scheme[ground]) for ground in ("paper", "card"))
            assert worst >= 4.5, name


def test_a_faint_colour_is_seen():
    assert contrast("#777777", "#ffffff") < 4.5 < contrast("#767676", "#ffffff")
