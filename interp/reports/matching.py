"""`-k` expressions over names: words that occur in them, joined by and, or, not and brackets."""

import re
from collections.abc import Sequence
from typing import Final

from interp.errors import RequestError

TOKENS: Final = re.compile(r"\s*([()]|[^\s()]+)")


def matches(expression: str, text: str) -> bool:
    """Whether a text, in whichever case, is one that the expression asks for; an empty one is.

    Raises:
        RequestError: the expression is not one.
    """
    words = TOKENS.findall(expression)
    if not words:
        return True
    found, rest = _any(words, text.lower())
    if rest:
        raise _malformed(expression)
    return found


def check_expression(expression: str) -> None:
    """Refuse what is no expression, before any work is done.

    Raises:
        RequestError: it is none.
    """
    try:
        matches(expression, "")
    except RequestError as error:
        raise error.during(f"-k {expression!r}") from None


def _any(words: Sequence[str], text: str) -> tuple[bool, Sequence[str]]:
    found, rest = _all(words, text)
    while rest and rest[0] == "or":
        also, rest = _all(rest[1:], text)
        found = found or also
    return found, rest


def _all(words: Sequence[str], text: str) -> tuple[bool, Sequence[str]]:
    found, rest = _one(words, text)
    while rest and rest[0] == "and":
        also, rest = _one(rest[1:], text)
        found = found and also
    return found, rest


def _one(words: Sequence[str], text: str) -> tuple[bool, Sequence[str]]:
    if not words or words[0] in {"and", "or", ")"}:
        raise _malformed(" ".join(words))
    if words[0] == "not":
        found, rest = _one(words[1:], text)
        return not found, rest
    if words[0] != "(":
        return words[0].lower() in text, words[1:]
    found, rest = _any(words[1:], text)
    if not rest or rest[0] != ")":
        raise _malformed(" ".join(words))
    return found, rest[1:]


def _malformed(received: str) -> RequestError:
    return RequestError(
        "words are joined by and, or, not and brackets",
        expected="e.g. lens and not (rank or early)",
        received=received or "nothing",
    )
