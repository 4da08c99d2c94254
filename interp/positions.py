"""Where in a row: positions by name, resolved against each row's own tokens."""

from dataclasses import dataclass
from typing import Literal

from interp.errors import RequestError

Kind = Literal["all", "first", "last", "span", "after", "besides", "thought"]
Part = Literal["first", "middle", "last", "all"]
WHOLE_ROW: tuple[Kind, ...] = ("all", "first", "last")


@dataclass(frozen=True)
class Position:
    """A named place in a row; `part` says which tokens of a span are meant.

    With `draw` they are drawn by this seed from what the kind names, as many as the span has.
    """

    kind: Kind
    name: str = ""
    part: Part = "last"
    draw: int | None = None

    def __str__(self) -> str:
        """As a spec writes it."""
        if self.kind in WHOLE_ROW:
            return f'"{self.kind}"'
        if self.kind == "after":
            only = "" if self.part == "all" else f', "{self.part}"'
            return f'after("{self.name}"{only})'
        if self.kind == "besides":
            return f'besides("{self.name}"{"" if self.draw is None else f", draw={self.draw}"})'
        if self.kind == "thought":
            return f"thought({self.name})" if self.name else "all_thoughts()"
        return f'"{self.name}"' if self.part == "last" else f'span("{self.name}", "{self.part}")'

    @property
    def reaches_generated(self) -> bool:
        """Whether tokens decoded after the prompt belong to this position too."""
        return self.kind == "all" or (self.kind == "after" and self.part == "all")


def span(name: str, part: Part = "all") -> Position:
    """The tokens of a span named in the prompt set: all of them, or one.

    The middle one is between the first and the last; the earlier of two.
    """
    return Position("span", name, part)


def after(name: str, part: Part = "all") -> Position:
    """Every position after the end of a named span, generated tokens included; or one of them.

    One of them is of the prompt: the first after the span, the prompt's last, or the middle one.
    """
    return Position("after", name, part)


def besides(name: str, *, draw: int | None = None) -> Position:
    """The tokens before a row's last one that are not of a named span.

    Args:
        name: the span.
        draw: where given, the seed by which as many of these tokens are drawn as the span has; the
            same for a row whatever else is in its batch.
    """
    return Position("besides", name, "all", draw)


def thought(step: int) -> Position:
    """The position at which the thought of this number is fed, from 0; never a token.

    Raises:
        RequestError: thoughts are counted from 0.
    """
    if step < 0:
        raise RequestError("thoughts are counted from 0", asked=f"thought({step})")
    return Position("thought", str(step))


def all_thoughts() -> Position:
    """The positions of all thoughts, and of no token."""
    return Position("thought")


def position(at: str | Position) -> Position:
    """The position a spec means by `at`: "all", "first", "last", a span's name, or a Position.

    A bare span name means the span's last token, where a model has read all of it.

    Raises:
        RequestError: `at` is a number or empty; positions are named, not counted.
    """
    if isinstance(at, Position):
        return at
    if not (type(at) is str and at):
        raise RequestError(
            "positions are named, not counted",
            asked=f"at={at!r}",
            expected='"all", "first", "last", the name of a span, span(...) or after(...)',
            received=repr(at),
        )
    for kind in WHOLE_ROW:
        if at == kind:
            return Position(kind)
    return Position("span", at)
