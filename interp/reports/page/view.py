"""What the page shows, as values: the template only lays them out."""

from dataclasses import dataclass
from typing import Final, NamedTuple


class Mark(NamedTuple):
    """A state in three ways, so that none has to be told by colour alone."""

    symbol: str
    word: str
    tone: str  # good, known, weak, bad, broken, quiet: a class of the style sheet


class Link(NamedTuple):
    """Words that lead somewhere; plain words where `href` is empty."""

    text: str
    href: str = ""


NOWHERE: Final = Link("")


class Fact(NamedTuple):
    """One line of a list of names and what they are."""

    name: str
    said: str


@dataclass(frozen=True)
class Step:
    """One reason why a case is invalid: the words it shares with a contract that failed."""

    words: str
    contract: Link


@dataclass(frozen=True)
class Cell:
    """One spec on one model: of a matrix the cell, of a section the line of its verdict."""

    model: str
    mark: Mark
    first: str = ""  # its first value, in words
    reason: str = ""
    detail: str = ""  # of a failure
    seconds: str = ""
    chain: tuple[Step, ...] = ()
    sweeps: str = ""  # how they were computed


@dataclass(frozen=True)
class Row:
    """One spec across the models; None where it was not planned on a model."""

    name: str
    anchor: str
    cells: tuple[Cell | None, ...]
    said: str = ""  # what it asserts
    place: Link = NOWHERE
    role: str = ""
    params: str = ""

    @property
    def tones(self) -> str:
        """The words that the filter looks for."""
        return " ".join(dict.fromkeys(cell.mark.word for cell in self.cells if cell))


@dataclass(frozen=True)
class Edits:
    """One line of a ledger."""

    verb: str
    site: str
    phase: str
    runs: int
    rows: int
    positions: str
    fired: int
    dose: str


@dataclass(frozen=True)
class Strip:
    """A value on an axis 100 wide: places of its dot, its interval and what stands beside it."""

    dot: float
    low: float | None
    high: float | None
    zero: float
    baseline: float | None = None
    published: float | None = None


@dataclass(frozen=True)
class Beside:
    """A value from elsewhere, and how ours stands to it."""

    said: str
    mark: Mark
    why: str = ""
    source: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Number:
    """One measured value with all that is known about it."""

    anchor: str
    name: str
    model: str
    value: str
    sort: str
    interval: str
    n: str
    unit: str
    noise: str
    exact: tuple[Fact, ...]
    strip: Strip | None
    partial: bool
    edits: tuple[Edits, ...]
    edits_left_out: int = 0
    baseline: Beside | None = None
    published: Beside | None = None

    @property
    def summary(self) -> str:
        """What is behind the click."""
        if not self.edits:
            return f"{self.edits_left_out} edits" if self.edits_left_out else "no edits"
        fired = sum(edit.fired for edit in self.edits)
        more = f" and {self.edits_left_out} more" if self.edits_left_out else ""
        kinds = "1 kind of edit" if len(self.edits) == 1 else f"{len(self.edits)} kinds of edits"
        return f"{kinds}{more}, fired {fired:,} times"


class Table(NamedTuple):
    """The numbers of a figure."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0


@dataclass(frozen=True)
class Figure:
    """A drawing as a data URI, what it shows in words, and its numbers."""

    anchor: str
    title: str
    uri: str = ""
    alt: str = ""
    table: Table | None = None
    files: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Section:
    """One spec: its claim, its verdicts, its figures and its numbers."""

    row: Row
    version: int
    claim: str
    source: tuple[Link, ...]
    differs: str
    numbers: tuple[Number, ...]
    figures: tuple[Figure, ...]
    axis: str = ""
    as_for: Link = NOWHERE  # the section that has said the source and the differences

    @property
    def several(self) -> bool:
        """Whether its numbers are of more than one model."""
        return len({number.model for number in self.numbers}) > 1

    @property
    def has_baseline(self) -> bool:
        """Whether one of its numbers has an accepted value beside it."""
        return any(number.baseline for number in self.numbers)

    @property
    def has_published(self) -> bool:
        """Whether one of its numbers has a published value beside it."""
        return any(number.published for number in self.numbers)


@dataclass(frozen=True)
class Drifted:
    """One value or verdict that is not what it was."""

    model: str
    name: Link
    what: str
    before: str
    after: str
    mark: Mark
    allowed: str
    why: str


@dataclass(frozen=True)
class Changed:
    """One thing around the numbers that is not what it was."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Compared:
    """What a run was compared with, and what came of it."""

    against: str
    tally: str
    drifted: tuple[Drifted, ...]
    left_out: int
    around: tuple[Changed, ...]


@dataclass(frozen=True)
class Run:
    """One run: how it ended, what moved in it, and what it was made with."""

    name: str
    anchor: str
    mark: Mark
    headline: str
    notes: tuple[str, ...]
    facts: tuple[Fact, ...]
    commit: str
    dirty: bool
    model_head: tuple[str, ...]
    models: tuple[tuple[str, ...], ...]
    prompts: tuple[tuple[str, ...], ...]
    versions: tuple[Fact, ...]
    command: str
    compared: Compared | None


@dataclass(frozen=True)
class Sizes:
    """One value over the sizes of models: a row a model, and what they allow to say."""

    name: Link
    unit: str
    rows: tuple[tuple[str, ...], ...]
    said: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """All of it."""

    title: str
    runs: tuple[Run, ...]
    models: tuple[str, ...]
    matrix: tuple[Row, ...]
    folded: tuple[Row, ...]
    sections: tuple[Section, ...]
    instruments: tuple[Row, ...]
    values_left_out: int
    overview: tuple[Figure, ...] = ()
    sizes: tuple[Sizes, ...] = ()

    @property
    def broken(self) -> bool:
        """Whether an instrument is not simply fine, so that their table stands open."""
        cells = [cell for row in self.instruments for cell in row.cells if cell]
        return any(cell.mark.tone not in {"good", "quiet"} for cell in cells)
