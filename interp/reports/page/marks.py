"""How each state looks: a symbol, a word and a tone."""

from typing import Final

from interp.reports.page.view import Mark
from interp.reports.record import End
from interp.reports.verdicts import VERDICTS

HOLDS: Final = Mark("✓", "holds", "good")
ACCEPTED: Final = Mark("○", "accepted as it is", "known")
CRASHED: Final = Mark("†", "crashed", "broken")
NOT_RUN: Final = Mark("·", "not run", "weak")
RUNNING: Final = Mark("…", "running", "weak")
UNKNOWN: Final = Mark("?", "no exit status", "broken")
OF_VERDICT: Final = {
    "holds": HOLDS,
    "fails": Mark("✗", "does not hold", "bad"),
    "inconclusive": Mark("~", "inconclusive", "weak"),
    "invalid": Mark("!", "invalid", "broken"),
    "skipped": Mark("-", "skipped", "quiet"),
    "error": Mark("#", "error", "broken"),
}
OF_COMPARISON: Final = {
    "same": Mark("=", "same", "quiet"),
    "within": Mark("=", "within", "quiet"),
    "improved": Mark("↑", "improved", "good"),
    "drifted": Mark("≠", "drifted", "bad"),
    "changed": Mark("≠", "changed", "bad"),
    "inconclusive": Mark("~", "inconclusive", "weak"),
    "new": Mark("+", "new", "known"),
    "missing": Mark("-", "missing", "bad"),
    "incomparable": Mark("/", "incomparable", "weak"),
    "spec changed": Mark("/", "spec changed", "weak"),
}
OF_AGREEMENT: Final = {
    "replicates": Mark("✓", "replicates", "good"),
    "same direction": Mark("↗", "same direction", "known"),
    "differs": Mark("✗", "differs", "bad"),
    "not comparable": Mark("/", "not comparable", "quiet"),
}
LEGEND: Final = (HOLDS, ACCEPTED, *(OF_VERDICT[one] for one in VERDICTS[1:]), CRASHED, NOT_RUN)


def mark_of(end: End) -> Mark:
    """How a case that ended looks; one that is accepted so is neither good nor bad."""
    found = OF_VERDICT[end.verdict]
    return ACCEPTED._replace(word=f"accepted: {found.word}") if end.accepted else found


def mark_of_status(status: int) -> Mark:
    """How an exit status looks."""
    if status == 0:
        return Mark("✓", "exit 0", "good")
    return Mark("✗", f"exit {status}", "bad" if status in {1, 10} else "broken")
