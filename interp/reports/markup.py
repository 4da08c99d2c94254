"""Markdown out of text that nobody vouches for: escaped, and never longer than it may be."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from interp.reports.text import count, plain

# What GitHub's Markdown reads as more than itself: markup, formulas, mentions, links to issues.
ACTING: Final = re.compile(r"[\\`*\[\]~$#!]|(?<![^\W_])_|_(?![^\W_])")
AS_ENTITY: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "@": "&#64;"}
LINKED: Final = re.compile(r"(?<=\w):(?=//)|(?<=\bwww)\.", re.IGNORECASE)
LIST_OR_RULE: Final = re.compile(r"^([-+](?=[-\s]|$)|=(?=[=\s]*$)|\d+(?=[.)](\s|$)))")


def escaped(text: object, most: int = 300) -> str:
    """The text on one line, as it is: no markup, no link, no mention, no formula, no cell's end."""
    line = plain(text).strip()
    line = line if len(line) <= most else f"{line[: most - 1]}…"
    line = ACTING.sub(lambda found: "\\" + found[0], line)
    line = "".join(AS_ENTITY.get(letter, letter) for letter in line)
    line = LINKED.sub(lambda found: f"&#{ord(found[0])};", line)
    return LIST_OR_RULE.sub(lambda found: f"&#{ord(found[0][0])};{found[0][1:]}", line)


def code_block(text: str) -> str:
    """The text as a block of code; its fence is longer than any run of backticks within."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


@dataclass(frozen=True)
class Text:
    """Lines that are Markdown already."""

    lines: tuple[str, ...]

    def __str__(self) -> str:
        """The lines."""
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Table:
    """Rows of plain text under a heading; `left_out` are those that the table has no room for.

    `more` says where the others are to be found.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""
    left_out: int = 0

    def __str__(self) -> str:
        """The heading, the table, and how many rows are not in it."""
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Line by line."""
        yield f"## {escaped(self.title)}"
        yield ""
        if self.rows:
            yield _row(self.head)
            yield _row(["---"] * len(self.head), raw=True)
            yield from (_row(row) for row in self.rows)
        if self.left_out:
            told = f"{count(self.left_out, 'row')} left out"
            yield f"\n{escaped(f'{told}: {self.more}' if self.more else told)}"

    def at_most(self, rows: int) -> "Table":
        """The table with so many rows at most."""
        over = max(0, len(self.rows) - rows)
        return replace(self, rows=self.rows[:rows], left_out=self.left_out + over) if over else self


Block = Text | Table


def fitted(blocks: Sequence[Block], room: int) -> str:
    """The blocks as Markdown of `room` bytes at most: the longest tables lose rows, none is cut.

    Where even empty tables are too long, whole blocks give way from the end.
    """
    kept = list(blocks)
    while (over := _size(kept) - room) > 0:
        tables = [place for place, block in enumerate(kept) if isinstance(block, Table)]
        largest = max(tables, key=lambda place: len(_rows(kept[place])), default=None)
        rows = [] if largest is None else _rows(kept[largest])
        if largest is None or not rows:
            if not kept:
                return ""
            kept.pop()
            continue
        kept[largest] = _shorter(kept[largest], over)
    return _joined(kept)


def _shorter(block: Block, over: int) -> Block:
    """A table without its last rows, until what is over is gone; half of them at most at once."""
    assert isinstance(block, Table)  # noqa: S101  chosen so
    gone, keep = 0, len(block.rows)
    while keep > len(block.rows) // 2 and gone <= over:
        keep -= 1
        gone += len(_row(block.rows[keep]).encode()) + 1
    return block.at_most(keep)


def _rows(block: Block) -> tuple[tuple[str, ...], ...]:
    return block.rows if isinstance(block, Table) else ()


def _joined(blocks: Sequence[Block]) -> str:
    return "\n\n".join(str(block) for block in blocks) + "\n" if blocks else ""


def _size(blocks: Sequence[Block]) -> int:
    return len(_joined(blocks).encode())


def _row(cells: Sequence[str], *, raw: bool = False) -> str:
    return f"| {' | '.join(cells if raw else map(escaped, cells))} |"
