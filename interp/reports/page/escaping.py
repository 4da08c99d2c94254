"""Text from models, prompts and names, so that nothing in it acts: it is only seen."""

import re
import unicodedata
from typing import Final

from interp.reports.text import HARMFUL

KEPT: Final = frozenset("\n\t")
NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9.]+")


def visible(text: object) -> str:
    """The text with controls, direction marks, zero widths and surrogates written as code points.

    A terminal escape is then `[U+001B]`, and a name cannot look like another one.
    """
    return "".join(_seen(letter) for letter in ("" if text is None else str(text)))


def _seen(letter: str) -> str:
    if letter.isascii() and letter.isprintable():
        return letter
    harmful = unicodedata.category(letter) in HARMFUL and letter not in KEPT
    return f"[U+{ord(letter):04X}]" if harmful else letter


def cut(text: object, most: int) -> str:
    """The text up to `most` characters, and how many there are more."""
    whole = str(text)
    return whole if len(whole) <= most else f"{whole[:most]}… ({len(whole) - most} more)"


class Anchors:
    """Names for places of the page, each given once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def new(self, *words: str) -> str:
        """A name that reads like the words, and is not used yet."""
        said = "-".join(filter(None, (_slug(word) for word in words))) or "x"
        name, count = said, 1
        while name in self._used:
            count += 1
            name = f"{said}--{count}"
        self._used.add(name)
        return name


def _slug(word: str) -> str:
    return NOT_IN_A_NAME.sub("-", word.lower()).strip("-.")[:80]
