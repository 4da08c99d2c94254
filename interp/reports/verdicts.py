"""From the outcome of a spec to its verdict, and the verdicts that were accepted."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from interp.errors import DataError, InconclusiveError, closest

Verdict = Literal["holds", "fails", "inconclusive", "invalid", "skipped", "error"]
VERDICTS: Final[tuple[str, ...]] = get_args(Verdict)
ACCEPTABLE: Final = ("holds", "fails", "inconclusive")


@dataclass(frozen=True)
class AcceptedVerdict:
    """One line of a baseline: the verdict that this finding is known to have on a model."""

    finding: str
    version: int
    verdict: Verdict
    reason: str = ""
    params: str | None = None  # one case of a parametrised finding; None for all of them


def verdict_of(error: BaseException | None, *, measured: bool = True) -> Verdict:
    """What an exception, or none, says about the claim.

    A claim that fails before anything was measured has no numbers to fail by: that is an error.
    """
    if error is None:
        return "holds"
    if isinstance(error, InconclusiveError):
        return "inconclusive"
    if isinstance(error, AssertionError) and measured:
        return "fails"
    return "error"


def find_accepted(
    known: Sequence[AcceptedVerdict], finding: str, version: int, params: str
) -> AcceptedVerdict | None:
    """The accepted verdict of a case; one that names the case goes before one that names none."""
    same = [one for one in known if (one.finding, one.version) == (finding, version)]
    for one in sorted(same, key=lambda one: one.params is None):
        if one.params in {None, params}:
            return one
    return None


def load_accepted(path: Path) -> tuple[AcceptedVerdict, ...]:
    """The accepted verdicts of one `reports/baselines/<model>.jsonl`; none where there is no file.

    Raises:
        DataError: a line is not what it must be.
    """
    if not path.is_file():
        return ()
    return tuple(_verdict_lines(path))


def _verdict_lines(path: Path) -> Iterator[AcceptedVerdict]:
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
            if row["kind"] == "verdict":
                yield _accepted(row)
        except (ValueError, KeyError, TypeError, DataError) as error:
            raise DataError(
                "a line of this baseline is not what it must be",
                expected='{"kind": "verdict", "finding": "...", "version": 1, "verdict": "fails"}',
                received=_why(error),
                where=f"{path}:{number}",
                hint="restore the file from git; baselines are not written by hand",
            ) from None


def _accepted(row: dict[str, Any]) -> AcceptedVerdict:
    verdict = row["verdict"]
    if verdict not in ACCEPTABLE:
        raise DataError(f"no verdict {verdict!r}; nearest: {closest(str(verdict), ACCEPTABLE)}")
    return AcceptedVerdict(
        str(row["finding"]),
        int(row["version"]),
        verdict,
        str(row.get("reason", "")),
        row.get("params"),
    )


def _why(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
