"""Public sets of word problems as prompt sets, from files that are already here.

The file is read as its authors published it, JSON or JSON Lines, or the rows come from elsewhere, a
split of Hugging Face `datasets` for one; nothing is fetched. A prompt's answer is its final number
without commas; its group is its own text, so that no statistic puts one question into two halves.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from interp.errors import DataError, closest
from interp.outcomes import number_in
from interp.prompts import Label, Prompt, PromptSet

ANNOTATION: Final = re.compile(r"<<([^<>=]*)=([^<>]*)>>")
FINAL: Final = "####"
Source = Path | str | Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Columns:
    """Where a set keeps its questions, whose parts are joined, and its answers."""

    question: tuple[str, ...]
    answer: str
    source: str


SETS: Final[Mapping[str, Columns]] = {
    "gsm8k": Columns(("question",), "answer", "Cobbe et al. 2021, arXiv:2110.14168"),
    "svamp": Columns(("Body", "Question"), "Answer", "Patel et al. 2021, arXiv:2103.07191"),
    "gsm_hard": Columns(("input",), "target", "Gao et al. 2022, arXiv:2211.10435"),
    "multi_arith": Columns(("question",), "final_ans", "Roy and Roth 2015, arXiv:1608.01413"),
}
# Copies of the same sets under other names of their columns.
OTHER_NAMES: Final[Mapping[str, Columns]] = {
    "svamp": Columns(("question_concat",), "Answer", SETS["svamp"].source),
    "gsm_hard": Columns(("instruction",), "response", SETS["gsm_hard"].source),
}


def read_word_problems(name: str, source: Source) -> PromptSet:
    """The questions of a public set, each with its answer and, where known, its steps' results.

    Args:
        name: "gsm8k", "svamp", "gsm_hard" or "multi_arith".
        source: the file, JSON or JSON Lines; or the rows, each a table by column.

    Raises:
        DataError: no such set; a file that is not readable or not that set.
    """
    if name not in SETS:
        raise DataError("no such set of word problems", received=name, hint=closest(name, SETS))
    prompts = tuple(prompt_of(name, row, where) for where, row in rows_of(source))
    if not prompts:
        raise DataError("the set is empty", received=name, where=str(source)[:80])
    return PromptSet(name, prompts, source=SETS[name].source)


def rows_of(source: Source) -> Iterator[tuple[str, Any]]:
    """Each row and where it stands.

    Raises:
        DataError: a file that cannot be read.
    """
    named, rows = (
        ("row", source) if not isinstance(source, (Path, str)) else (source, _rows(source))
    )
    for i, row in enumerate(rows, start=1):
        yield f"{named}:{i}", row


def _rows(path: Path | str) -> Iterator[Any]:
    try:
        text = Path(path).read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            yield from json.loads(text)
        else:
            yield from (json.loads(line) for line in text.splitlines() if line.strip())
    except (OSError, ValueError) as error:
        raise DataError(
            "the set of word problems cannot be read", received=error, where=str(path)
        ) from None


def prompt_of(name: str, row: Any, where: str) -> Prompt:
    """A row of a set as a prompt.

    Raises:
        DataError: its columns are not those of the set, or its answer is no number.
    """
    known = [SETS[name], *([OTHER_NAMES[name]] if name in OTHER_NAMES else [])]
    for columns in known:
        if isinstance(row, Mapping) and {*columns.question, columns.answer} <= row.keys():
            return _read(row, columns, where)
    raise DataError(
        f"this row is not one of {name}",
        expected=" or ".join(f"{', '.join((*one.question, one.answer))}" for one in known),
        received=", ".join(row) if isinstance(row, Mapping) else row,
        where=where,
    )


def _read(row: Mapping[str, Any], columns: Columns, where: str) -> Prompt:
    question = " ".join(str(row[part]).strip() for part in columns.question)
    told = str(row[columns.answer])
    number = number_in(told.rpartition(FINAL)[2])
    if number is None or not question:
        raise DataError("a question has a number as its answer", received=told[-40:], where=where)
    text = question.replace("  ", " ")
    results = [result.strip() for _, result in ANNOTATION.findall(told)]
    labels: dict[str, Label] = {}
    if results:
        labels = {"steps": len(results), "results": " ".join(results[:-1])}
    group = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Prompt(text=text, answers=(_plain(number),), group=group, labels=labels)


def _plain(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)
