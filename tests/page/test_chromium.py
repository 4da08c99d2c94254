"""The page in a real browser: nothing is refused, and it works with and without script."""

import fcntl
import json
import os
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BASH = shutil.which("bash")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium in PATH"),
]
SORT = """
const table = document.querySelector(".values");
const button = [...table.querySelectorAll("thead button")].find(b => b.textContent === "value");
button.click();
const first = [...table.tBodies].map(b => b.rows[0].cells[0].textContent);
button.click();
const then = [...table.tBodies].map(b => b.rows[0].cells[0].textContent);
JSON.stringify([first, then, button.parentNode.getAttribute("aria-sort")])
"""
FILTER = """
const words = document.getElementById("words"), state = document.getElementById("state");
const shown = () => [...document.querySelectorAll("article:not([hidden]) h3")]
  .map(h => h.textContent);
const type = (field, value) => {
  field.value = value; field.dispatchEvent(new Event("input", {bubbles: true})); return shown();
};
JSON.stringify([
  shown().length, type(words, "CRASHED"), type(words, ""), type(state, "does not hold"),
  document.getElementById("shown").textContent,
  document.querySelectorAll(".matrix tbody tr:not([hidden])").length,
])
"""
UNFOLD = """
const step = document.querySelector(".chain a");
location.hash = step.getAttribute("href");
await new Promise(done => setTimeout(() => {
  const row = document.getElementById(step.getAttribute("href").slice(1));
  const seen = row.closest("details").open && row.checkVisibility();
  done(seen && row.textContent.includes("alpha-zero"));
}, 100))
"""


class Browser:
    """Chromium, spoken to through a pipe."""

    def __init__(self, profile):
        asked, to = os.pipe()
        back, answers = os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (asked, answers)]
        script = f'exec "$@" 3<&{high[0]} 4>&{high[1]}'
        words = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        self.process = subprocess.Popen(
            [BASH, "-c", script, "bash", *words], pass_fds=high, stderr=subprocess.DEVNULL
        )
        for end in (asked, answers, *high):
            os.close(end)
        self._to, self._back = os.fdopen(to, "wb"), os.fdopen(back, "rb")
        self._rest, self._count, self.events = b"", 0, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Log", "Runtime", "Page", "Network"):
            self.ask(f"{domain}.enable")

    _session = None

    def ask(self, method, **params):
        """Send a command and wait for its answer; events that come before it are kept."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._next()).get("id") != self._count:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self):
        while b"\0" not in self._rest:
            read = self._back.read1(1 << 20)
            assert read, "chromium has ended"
            self._rest += read
        one, _, self._rest = self._rest.partition(b"\0")
        return json.loads(one)

    def open(self, path, *, script=True):
        """Load a page, and forget what happened before."""
        self.events = []
        self.ask("Emulation.setScriptExecutionDisabled", value=not script)
        self.ask("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def run(self, code):
        """The value of an expression in the page."""
        asked = {"expression": code, "awaitPromise": True, "replMode": True, "returnByValue": True}
        answer = self.ask("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self):
        """What a reader sees of the page, also where its script is off."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        body = self.ask("DOM.querySelector", nodeId=root, selector="body")["nodeId"]
        return self.ask("DOM.getOuterHTML", nodeId=body)["outerHTML"]

    @property
    def complaints(self):
        """What the console says, and every load but that of the page and of data."""
        logged = [
            e
            for e in self.events
            if e.get("method")
            in {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
        ]
        loads = [
            e["params"]["request"]["url"]
            for e in self.events
            if e.get("method") == "Network.requestWillBeSent"
        ]
        return logged + [url for url in loads[1:] if not url.startswith("data:")]

    def close(self):
        self._to.close()
        self._back.close()
        self.process.wait(timeout=20)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def kept(tmp_path, page):
    """Writes the page of some runs."""

    def keep(*runs):
        path = tmp_path / "report.html"
        path.write_text(page(*runs), encoding="utf-8")
        return path

    return keep


def test_nothing_is_refused_or_loaded(browser, kept, moved):
    browser.open(kept(moved))
    browser.run("1")
    assert browser.complaints == []


def test_a_complaint_is_seen(browser, kept, moved):
    path = kept(moved)
    planted = '<img src="https://example.org/a.png" alt="x" onclick="x()"></body>'
    path.write_text(path.read_text().replace("</body>", planted))
    browser.open(path)
    browser.run("1")
    assert len(browser.complaints) >= 2


def test_no_text_of_a_model_acts(browser, kept, nasty):
    browser.open(kept(nasty))
    assert browser.run("document.scripts.length") == 1
    assert browser.complaints == []
    assert "<script>alert(1)</script>" in browser.run("document.querySelector('h1').textContent")


def test_values_are_sorted_both_ways(browser, kept, several_values):
    browser.open(kept(several_values))
    up, down, said = json.loads(browser.run(SORT))
    assert (up, said) == (["low", "middle", "high", "word"], "descending")
    assert down == up[::-1]


def test_specs_are_filtered_by_words_and_by_state(browser, kept, every_state):
    browser.open(kept(every_state))
    every, by_words, again, by_state, said, rows = json.loads(browser.run(FILTER))
    assert (every, len(again), rows) == (9, 9, 1)
    assert (by_words, by_state) == (["is.crashed"], ["is.fails"])
    assert said == "1 of 9 shown"


def test_a_link_into_what_is_folded_unfolds_it(browser, kept, every_state):
    browser.open(kept(every_state))
    browser.run("document.querySelector('#instruments details').open = false")
    assert browser.run(UNFOLD) is True


def test_without_script_everything_is_there(browser, kept, every_state):
    browser.open(kept(every_state), script=False)
    said = browser.text()
    assert "<button" not in said
    assert all(word in said for word in ("is.accepted", "0.420", "why it is invalid", "Reproduce"))
    browser.open(kept(every_state))
    assert "<button" in browser.text()
