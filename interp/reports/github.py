"""What a run tells GitHub: a step's summary, and annotations at the specs that went wrong."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from interp.reports.compare import Comparison
from interp.reports.exit_status import Outcome
from interp.reports.markdown import ROOM, ends_of, step_summary
from interp.reports.record import Case, RunRecord
from interp.reports.summary import word_for
from interp.reports.text import number, plain

MOST: Final = 10  # GitHub shows no more of one kind and step
LONGEST: Final = 500
ESCAPES: Final = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
IN_PROPERTIES: Final = ((":", "%3A"), (",", "%2C"))


def append_summary(
    record: RunRecord, comparison: Comparison | None, outcome: Outcome, env: Mapping[str, str]
) -> Path | None:
    """Add the run to the summary of the step, if there is one and room in it; where it went.

    Raises:
        OSError: the file cannot be written.
    """
    if not (name := env.get("GITHUB_STEP_SUMMARY")):
        return None
    path = Path(name)
    held = path.stat().st_size if path.exists() else 0
    text = step_summary(record, comparison, outcome, room=max(0, ROOM - held - 1))
    if not text:
        return None
    with path.open("ab") as file:
        file.write(b"\n" * bool(held) + text.encode())
    return path


def annotations(record: RunRecord, comparison: Comparison | None) -> list[str]:
    """Workflow commands that mark what went wrong at its line, ten at most; the last counts on."""
    found = list(_annotations(record, comparison))
    if len(found) <= MOST:
        return found
    more = len(found) - MOST + 1
    return [
        *found[: MOST - 1],
        f"::error title=interp::{_data(f'and {more} more; see the summary')}",
    ]


def in_actions(env: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a job of GitHub Actions."""
    return env.get("GITHUB_ACTIONS") == "true"


def _annotations(record: RunRecord, comparison: Comparison | None) -> Iterator[str]:
    cases = {end.case.nodeid: end.case for end in record.ends}
    for end in ends_of(record):
        if end.verdict in {"fails", "error"} and not end.accepted:
            yield _error(
                end.case, f"{word_for(end)}: {end.reason}" if end.reason else word_for(end)
            )
    if comparison is None:
        return
    for verdict in comparison.verdicts:
        said = f"the verdict was {verdict.before} and is {verdict.after}"
        yield _error(cases.get(verdict.nodeid), said)
    for one in comparison.drifted:
        before, after = (None if side is None else side.value for side in (one.before, one.after))
        said = f"{one.name}: {number(before)} -> {number(after) or 'not measured'}, {one.kind}"
        mine = (
            case
            for case in cases.values()
            if (case.model, case.spec_id) == (one.model, one.finding)
        )
        yield _error(next(mine, None), f"{said} ({one.allowed})" if one.allowed else said)


def _error(case: Case | None, said: str) -> str:
    """One command. A line break, or a property's end, in a name must not start another one."""
    if case is None:
        return f"::error title=interp::{_data(said)}"
    path, _, line = case.place.rpartition(":")
    title = " ".join(filter(None, (case.spec_id, case.model)))
    known = {"file": path or case.nodeid.partition("::")[0], "line": line or "1", "title": title}
    properties = ",".join(f"{name}={_property(part)}" for name, part in known.items())
    return f"::error {properties}::{_data(said)}"


def _data(text: str) -> str:
    line = plain(text)[:LONGEST]
    for letter, escape in ESCAPES:
        line = line.replace(letter, escape)
    return line


def _property(text: str) -> str:
    line = _data(text)
    for letter, escape in IN_PROPERTIES:
        line = line.replace(letter, escape)
    return line
