"""The words of a source, with the papers that can be found on arXiv."""

import re
from typing import Final

from interp.reports.page.view import Link

ARXIV: Final = re.compile(r"arXiv:(\d{4}\.\d{4,5}(?:v\d+)?)", re.ASCII)


def links(text: str) -> tuple[Link, ...]:
    """A text in parts; the number of a paper on arXiv leads to it."""
    parts: list[Link] = []
    end = 0
    for found in ARXIV.finditer(text):
        parts += [Link(text[end : found.start()])]
        parts += [Link(found[0], f"https://arxiv.org/abs/{found[1]}")]
        end = found.end()
    return tuple(part for part in (*parts, Link(text[end:])) if part.text)
