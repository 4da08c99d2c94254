"""The command that makes a run like one that was made."""

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

ONLY_THEN: Final = frozenset({"--run-dir", "--reports-dir", "--resume", "--junitxml"})
QUIET: Final = re.compile(r"^-[qv]+$")


def command_of(manifest: Mapping[str, Any]) -> str:
    """The command that makes a run like this one: the same words, without those of its folder."""
    words, skip = ["pytest"], False
    for word in map(str, manifest.get("argv", [])):
        if skip or word.split("=")[0] in ONLY_THEN:
            skip = not skip and "=" not in word
            continue
        if not QUIET.match(word):
            words.append(word)
    return " ".join(shlex.quote(in_short(word)) for word in words)


def in_short(path: str) -> str:
    """A path of the machine that the run was on by its last part; other words as they are."""
    return f"…/{PurePath(path).name}" if PurePath(path).is_absolute() else path
