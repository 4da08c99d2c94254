"""A comparison as text: a table for a terminal, Markdown, or flat objects."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from textwrap import wrap
from typing import Final, NamedTuple

from interp.reports.baselines import Reference
from interp.reports.compare import QUIET, Compared, Comparison, VerdictChange
from interp.reports.summary import WORDS
from interp.reports.text import clip, count, number, plain, squeeze
from interp.reports.values import Scalar

NARROWEST: Final = 12
SAID: Final = {"within": "within tolerance"}
DEEPER: Final = " " * 6
NOWHERE: Final = "not measured"
DIGITS: Final = (6, 9, 17)
MOST: Final = 20  # values in the summary of a run


class Row(NamedTuple):
    """One line of the table."""

    name: str
    before: str
    after: str
    kind: str
    allowed: str


HEAD: Final = Row("", "before", "after", "", "allowed")


def as_table(
    found: Comparison, width: int, *, everything: bool = False, most: int | None = None
) -> Iterator[str]:
    """Lines no wider than `width`: verdicts, values by model, then what was different around.

    Of more than `most` values the first are shown, and how many are not.
    """
    every = _shown(found, everything=everything)
    shown = every[:most]
    yield clip(f"against {found.against}", width)
    for verdict in found.verdicts:
        yield from wrap(_verdict(verdict), width, subsequent_indent="  ")
    for model in dict.fromkeys(one.model for one in shown):
        yield clip(model or "without a model", width)
        yield from _table([one for one in shown if one.model == model], width)
    if left := len(every) - len(shown):
        yield clip(f"  and {left} more: interp diff", width)
    yield from wrap(_count(found), width)
    yield "different around them:" if found.around else "nothing is different around them"
    for one in found.around:
        line = plain(f"{one.what}: {one.before} -> {one.after}")
        yield from wrap(line, width, initial_indent="  ", subsequent_indent="    ")


def against(found: Comparison, width: int) -> Iterator[str]:
    """What a run's summary says of the baselines: a line, or what moved, some of it."""
    known = [one for one in found.values if one.kind != "new"]
    if found.verdicts or any(one.kind not in QUIET for one in known):
        shown = replace(found, values=tuple(known))
        yield from as_table(shown, width, most=MOST)
    elif known:
        line = f"against {found.against}: {_count(replace(found, values=tuple(known)))}"
        yield from wrap(line, width, subsequent_indent="  ")
    if found.new:
        yield clip(f"{count(len(found.new), 'value')} new to {found.against}", width)
    if known or found.new or found.verdicts:
        yield ""


def as_markdown(found: Comparison, *, everything: bool = False) -> Iterator[str]:
    """The same as Markdown, for a pull request."""
    yield f"**{_count(found)}**, against {_cell(found.against)}"
    if found.verdicts:
        yield from _heads("finding", "model", "verdict before", "after")
        for one in found.verdicts:
            yield _cells(_case(one), one.model or "", *_words(one))
    if shown := _shown(found, everything=everything):
        yield from _heads("model", "finding", "value", "before", "after", "", "allowed", "why")
        for value in shown:
            row = _row(value)
            name = (value.model or "", value.finding, value.name)
            yield _cells(*name, *row[1:], value.why)
    if found.around:
        yield from _heads("different around them", "before", "after")
        for change in found.around:
            yield _cells(change.what, change.before, change.after)


def as_rows(found: Comparison, *, everything: bool = False) -> list[dict[str, Scalar | None]]:
    """Flat objects with the same keys: values, then verdicts, then what was different around."""
    values = [
        _flat(
            str(one.kind),
            one.model,
            one.finding,
            one.name,
            _value(one.before),
            _value(one.after),
        )
        | {"allowed": one.allowed, "why": one.why}
        for one in _shown(found, everything=everything)
    ]
    verdicts = [
        _flat("verdict", one.model, one.finding, one.params, one.before, one.after)
        for one in found.verdicts
    ]
    around = [
        _flat("environment", None, "", one.what, one.before, one.after) for one in found.around
    ]
    return values + verdicts + around


def both(before: Scalar | None, after: Scalar | None) -> tuple[str, str]:
    """Two values in as few digits as tell them apart."""
    old, new = _said(before), _said(after)
    if old != new or before == after:
        return old, new
    for digits in DIGITS:
        old, new = f"{before:.{digits}g}", f"{after:.{digits}g}"
        if old != new:
            break
    return old, new


def _flat(
    kind: str,
    model: str | None,
    finding: str,
    name: str,
    before: Scalar | None,
    after: Scalar | None,
) -> dict[str, Scalar | None]:
    return {
        "kind": kind,
        "model": model,
        "finding": finding,
        "name": name,
        "before": before,
        "after": after,
        "allowed": "",
        "why": "",
    }


def _shown(found: Comparison, *, everything: bool) -> list[Compared]:
    return [one for one in found.values if everything or one.kind != "same"]


def _count(found: Comparison) -> str:
    """How many of each kind, the ordinary ones last."""
    kinds: dict[str, int] = {}
    for one in found.values:
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    same = kinds.pop("same", 0)
    said = [f"{many} {SAID.get(kind, kind)}" for kind, many in kinds.items()]
    differ = count(sum(kinds.values()), "value")
    detail = f" ({', '.join(said)})" if said else ""
    verdicts = count(len(found.verdicts), "verdict")
    return f"{differ} and {verdicts} differ{detail}; {same} the same"


def _case(one: VerdictChange) -> str:
    return f"{one.finding}[{one.params}]" if one.params else one.finding


def _verdict(one: VerdictChange) -> str:
    before, after = _words(one)
    return plain(f"{one.model or ''} {_case(one)}: {before} -> {after}".strip())


def _words(one: VerdictChange) -> tuple[str, str]:
    """Both verdicts as a reader knows them from the terminal and the page."""
    return WORDS.get(one.before, one.before), WORDS.get(one.after, one.after)


def _table(values: Sequence[Compared], width: int) -> Iterator[str]:
    """The rows in columns that fit: what is allowed gives way first, then the names."""
    rows = [_row(one) for one in values]
    for columns in (5, 4) if any(row.allowed for row in rows) else (4,):
        sizes = [max(len(row[place]) for row in [HEAD, *rows]) for place in range(columns)]
        spare = width - 2 - sum(sizes) - 2 * (columns - 1)
        if spare >= 0 or sizes[0] + spare >= 2 * NARROWEST:
            break
    sizes[0] = max(NARROWEST, sizes[0] + min(spare, 0))
    yield clip("  " + _line(HEAD, sizes), width)
    told = 0
    for place, (row, one) in enumerate(zip(rows, values, strict=True), start=1):
        yield clip("  " + _line(row, sizes), width)
        if place == len(values) or values[place].why != one.why:
            yield from _why(one.why, place - told, width)
            told = place


def _why(why: str, many: int, width: int) -> Iterator[str]:
    """A reason, once for all the rows above it that share it."""
    said = f"these {many}: {why}" if many > 1 else why
    if why:
        yield from wrap(plain(said), width, initial_indent=DEEPER, subsequent_indent=DEEPER)


def _line(row: Row, sizes: Sequence[int]) -> str:
    cells = [squeeze(row.name, sizes[0]).ljust(sizes[0])]
    cells += [row[place].rjust(sizes[place]) for place in (1, 2)]
    cells += [row[place].ljust(sizes[place]) for place in range(3, len(sizes))]
    return "  ".join(cells).rstrip()


def _row(one: Compared) -> Row:
    before, after = both(_value(one.before), _value(one.after))
    kind = plain(SAID.get(one.kind, one.kind))
    return Row(plain(f"{one.finding}  {one.name}"), before, after, kind, plain(one.allowed))


def _value(reference: Reference | None) -> Scalar | None:
    return None if reference is None else reference.value


def _said(value: Scalar | None) -> str:
    return NOWHERE if value is None else clip(number(value), 40)


def _heads(*names: str) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(names)} |"
    yield f"|{' --- |' * len(names)}"


def _cells(*cells: str) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """The text between backticks, where nothing is markup; a bar would end the cell."""
    shown = plain(text).replace("`", "'").replace("|", "\\|").strip()
    return f"`{shown}`" if shown else ""
