"""Failures as text that cannot move the cursor: an assertion may quote what a model wrote."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from interp.reports.text import lines


def make_harmless(report: pytest.TestReport) -> None:
    """Let the traceback and the captured output of a report be nothing but text."""
    report.sections = [(name, lines(text)) for name, text in report.sections]
    report.longrepr = _harmless(report.longrepr)


def _harmless(part: Any) -> Any:
    """The same, with every text in it made plain; pytest keeps tracebacks as dataclasses."""
    if isinstance(part, str):
        return lines(part)
    if isinstance(part, (list, tuple)):
        return type(part)(_harmless(one) for one in part)
    if is_dataclass(part) and not isinstance(part, type):
        for field in fields(part):
            setattr(part, field.name, _harmless(getattr(part, field.name)))
    return part
