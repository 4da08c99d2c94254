"""`--redact-prompts`: where the text of a prompt would be kept, a hash of it stands.

Prompts are known from `fixtures/prompts` and from what runs were given. A text is found whole in
whatever is written down; what may hold a part of one is left out instead: tracebacks, captured
output, and words in figures that occur in a prompt. Not redacted is what a spec itself makes of a
prompt, such as the id of a parameter.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from interp.errors import DataError
from interp.plugin.prompt_sets import prompt_files, read_prompts
from interp.plugin.setting import SETTING
from interp.reports.journal import Journal
from interp.reports.values import Value

if TYPE_CHECKING:
    from interp.ledger import Watch
    from interp.prompts import PromptSet

SHORTEST: Final = 12  # characters of a text that is looked for inside of others
QUOTED: Final = re.compile(r"(['\"])(?:\\.|(?!\1).){12,}(?:\1|$)")
WORDS: Final = ("columns", "rows", "ticks")  # of a chart: positions, or tokens at them
BESIDE: Final = ("first_hop", "second_hop", "entity_shortcut", "relation_shortcut")
OF_THE_CASE: Final = ("nodeid", "spec_id", "model", "params", "place", "claim", "source", "differs")


class Redactor:
    """The texts of all prompts that are known so far, and what stands in their place."""

    def __init__(self, folder: Path, given: Sequence[Path] = ()) -> None:
        self._given = given
        self.watch: Watch | None = None  # of the test that runs
        self._folder = folder
        self._sets: set[str] = set()
        self._texts: set[str] = set()

    def line(self, kind: str, fields: Mapping[str, object]) -> dict[str, object]:
        """One line of the journal without texts of prompts."""
        self._learn()
        kept = {name: fields[name] for name in fields if name in OF_THE_CASE}
        others = {name: part for name, part in fields.items() if name not in OF_THE_CASE}
        if kind == "chart":
            others["chart"] = self._chart(others["chart"])
        return {**kept, **self._within(others)}

    def message(self, text: str) -> str:
        """What went wrong, without what it quotes: pytest quotes texts cut short, too."""
        self._learn()
        return QUOTED.sub(lambda found: hashed(found[0]), self._text(text))

    def value(self, value: Value) -> Value:
        """A value whose words and labels are no texts of prompts."""
        self._learn()
        return replace(value, value=self._within(value.value), labels=self._within(value.labels))

    def report(self, report: pytest.TestReport, said: str) -> None:
        """Leave of a failure what it says, not where it was raised or what was printed before."""
        report.sections = []
        if report.failed:
            report.longrepr = f"{self.message(said)}\n(the rest is left out: --redact-prompts)"

    def _learn(self) -> None:
        """Take in the prompts of the project, once, and those that the test has run so far."""
        new: dict[str, PromptSet | None] = dict(self.watch.sets) if self.watch else {}
        if not self._sets:
            files = (*prompt_files(self._folder), *self._given)
            new |= {str(path): _read(path) for path in files}
            self._sets.add("")
        for name, prompts in new.items():
            if name not in self._sets:
                self._sets.add(name)
                self._texts |= set(_texts(prompts))

    def _within(self, part: Any) -> Any:
        if isinstance(part, str):
            return self._text(part)
        if isinstance(part, Mapping):
            return {name: self._within(one) for name, one in part.items()}
        return [self._within(one) for one in part] if isinstance(part, list | tuple) else part

    def _text(self, text: str) -> str:
        if len(text) < SHORTEST:
            return text
        for known in self._texts:
            for form in (known, repr(known)[1:-1]):
                text = text.replace(form, hashed(known)) if form in text else text
        return text

    def _chart(self, chart: Any) -> Any:
        """A chart whose labels are no tokens; what a model would have said is no better."""
        if isinstance(chart, list | tuple):
            return [self._chart(one) for one in chart]
        if not isinstance(chart, Mapping):
            return chart
        return {
            name: _words(part, self._occurs)
            if name in WORDS and _is_texts(part)
            else _words(part, str.strip)
            if name == "words"
            else self._chart(part)
            for name, part in chart.items()
        }

    def _occurs(self, word: str) -> bool:
        bare = word.strip()
        return not _is_number(bare) and any(bare in text for text in self._texts)


class RedactedJournal(Journal):
    """A journal that keeps hashes of prompts."""

    redactor: Redactor

    def write(self, kind: str, fields: Mapping[str, object]) -> None:
        """Append one line.

        Raises:
            DataError: it could not be written; every line before it is safe.
        """
        super().write(kind, self.redactor.line(kind, fields))


REDACTOR: Final = pytest.StashKey[Redactor | None]()


def redactor_of(config: pytest.Config) -> Redactor | None:
    """What keeps the texts of prompts out of this session's files, if that was asked for."""
    options = config.stash[SETTING].options
    if not options.redact:
        return None
    return Redactor(config.rootpath / "fixtures" / "prompts", [path for _, path in options.prompts])


def journals(redactor: Redactor | None) -> Callable[[Path, str], Journal]:
    """What opens the journal of this process."""
    if redactor is None:
        return Journal

    def opened(run: Path, writer: str) -> Journal:
        journal = RedactedJournal(run, writer)
        journal.redactor = redactor
        return journal

    return opened


def hashed(text: str) -> str:
    """What stands in the place of a text; the same for the same text."""
    return f"<sha256 {hashlib.sha256(text.encode(errors='replace')).hexdigest()[:12]}>"


def _texts(prompts: "PromptSet | None") -> Iterable[str]:
    """Everything in prompts that is long enough to be told, with what they are made of."""
    for prompt in prompts.prompts if prompts else ():
        for one in (prompt, *(getattr(prompt, name, None) for name in BESIDE)):
            if one is None:
                continue
            texts = (one.text, one.user, one.system, *one.answers, *one.foils)
            yield from (text for text in texts if len(text) >= SHORTEST)


def _read(path: Path) -> "PromptSet | None":
    """A prompt set; a file that is none is refused by the specs that ask for it, not here."""
    try:
        return read_prompts(path)
    except DataError:
        return None


def _is_texts(part: object) -> bool:
    return isinstance(part, list | tuple) and all(isinstance(one, str) for one in part)


def _words(part: Any, told: Callable[[str], object]) -> Any:
    """Words, or rows of them, hashed where `told` says so."""
    if isinstance(part, str):
        return hashed(part) if told(part) else part
    return [_words(one, told) for one in part]


def _is_number(word: str) -> bool:
    return word.lstrip("-").replace(".", "", 1).isdigit()
