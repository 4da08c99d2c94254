"""What a spec says of itself: its claim, its source, how it differs, and where it stands."""

import inspect
from typing import NamedTuple

import pytest


class Said(NamedTuple):
    """The words of a spec, from its own docstring, else from that of its file."""

    claim: str
    source: str
    differs: str
    place: str  # path:line, below the root


def said_by(item: pytest.Function) -> Said:
    """The claim and its context; a part that is not stated is empty."""
    own, whole = (inspect.getdoc(one) or "" for one in (item.function, item.module))
    mark = item.get_closest_marker("finding")
    marked = str(mark.kwargs.get("source", "")) if mark else ""
    path, line, _ = item.location
    return Said(
        (own or whole).partition("\n")[0],
        paragraph("Source", own) or paragraph("Source", whole) or marked,
        paragraph("Differs", own) or paragraph("Differs", whole),
        f"{path}:{(line or 0) + 1}",
    )


def paragraph(name: str, docstring: str) -> str:
    """What follows `name:` in a docstring, with the lines that are indented below it."""
    found: list[str] = []
    for line in docstring.splitlines():
        if found and not line.startswith(" "):
            break
        if found or line.startswith(f"{name}:"):
            found.append(line.removeprefix(f"{name}:").strip())
    return " ".join(found)
