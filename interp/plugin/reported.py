"""What a spec's report carries from a worker to the terminal: words and numbers JSON can hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from interp.plugin.recording import Live
from interp.reports.record import Case, End
from interp.reports.text import interval, number, plain
from interp.reports.values import Value


@dataclass(frozen=True)
class Reported:
    """The part of a report that is ours; `verdict` is empty until the case has ended."""

    model: str | None
    verdict: str = ""
    accepted: bool = False
    first: str = ""  # the first value, in words
    seconds: float = 0.0
    load: float | None = None
    memory: int = 0


def attach(
    report: pytest.TestReport,
    case: Case,
    end: End | None = None,
    values: Sequence[Value] = (),
    *,
    live: Live | None = None,
) -> None:
    """Leave on a report what the terminal shows of it; reports travel as JSON."""
    loaded = live is not None and live.id == case.model
    report.__dict__["interp"] = {
        "model": case.model,
        "verdict": end.verdict if end else "",
        "accepted": bool(end and end.accepted),
        "first": in_words(values[0]) if values else "",
        "seconds": end.seconds if end else 0.0,
        "load": live.seconds if live and loaded else None,
        "memory": live.memory if live and loaded else 0,
    }


def reported(report: object) -> Reported | None:
    """What was left on a report; None for an ordinary test."""
    left: dict[str, Any] | None = getattr(report, "interp", None)
    return None if left is None else Reported(**left)


def in_words(value: Value) -> str:
    """A value on one line: `accuracy=0.98 [0.90, 1.00] n=53`."""
    parts = [
        f"{plain(value.name)}={number(value.value)}",
        interval(value.low, value.high),
        "" if value.n is None else f"n={value.n}",
    ]
    return " ".join(part for part in parts if part)
