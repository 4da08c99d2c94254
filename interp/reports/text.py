"""Text for a terminal: numbers people read, and strings from models that cannot harm it."""

import unicodedata
from typing import Final

from interp.reports.values import Scalar

HARMFUL: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, direction marks, line breaks


def plain(text: object) -> str:
    """The text on one line, without characters that move the cursor or change the direction."""
    return "".join(
        " " if unicodedata.category(letter) in HARMFUL else letter for letter in str(text)
    )


def lines(text: str) -> str:
    """The text as `plain`, its line breaks and tabs kept."""
    return "".join(letter if letter in "\n\t" else plain(letter) for letter in text)


def clip(text: object, width: int) -> str:
    """The text as `plain`, cut to `width` with an ellipsis."""
    line = plain(text)
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def squeeze(text: object, width: int) -> str:
    """The text as `plain`, cut to `width` in the middle: names differ at their end."""
    line = plain(text)
    if len(line) <= width:
        return line
    end = (width - 1) // 2
    return f"{line[: width - 1 - end]}…{line[len(line) - end :]}"


def number(value: Scalar | None) -> str:
    """A value in three or four significant digits; words and whole numbers as they are."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if value and not 0.001 <= abs(value) < 1000 else f"{value:.3f}"  # noqa: PLR2004
    return plain(value)


def interval(low: float | None, high: float | None) -> str:
    """The two ends in brackets, or nothing where there is no interval."""
    return "" if low is None or high is None else f"[{number(low)}, {number(high)}]"


def seconds(duration: float) -> str:
    """A duration as people say it: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
    if duration < 10:  # noqa: PLR2004
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 60:  # noqa: PLR2004
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(of: int) -> str:
    """A number of bytes as people say it: `310 MB`, `2.5 GB`."""
    return f"{of / 1e9:.1f} GB" if of >= 1e9 else f"{of / 1e6:.0f} MB"  # noqa: PLR2004


def count(number_of: int, noun: str) -> str:
    """`1 spec`, `2 specs`."""
    return f"{number_of} {noun}" if number_of == 1 else f"{number_of} {noun}s"
