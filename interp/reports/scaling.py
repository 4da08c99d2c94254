"""What scales: a finding's values beside the sizes of the models, and what so few models allow.

A finding names the values in `scales`. They are set beside each other family by family, because
models of two families differ in more than their size; over all families it is said so. With n
models a rank trend has n! orders, so with three no trend can be established, whatever they show.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from interp.reports.published import Published
from interp.reports.record import RunRecord
from interp.reports.text import number, plain
from interp.reports.values import Value

LEVEL: Final = 0.05
FEWEST: Final = 2
SHIPPED: Final = "shipped"


@dataclass(frozen=True)
class Point:
    """A value on one model of a known size."""

    model: str
    family: str
    parameters: int
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Trend:
    """The models of a family, or of several, by size; tau and p of a rank trend over them."""

    family: str
    points: tuple[Point, ...]
    tau: float
    p: float
    least: float
    mixed: bool = False

    @property
    def told(self) -> str:
        """How strong the trend is, and how likely by chance."""
        return f"tau {self.tau:.2f}, exact p {number(self.p)}"

    @property
    def word(self) -> str:
        """What it comes to, in a word or two."""
        if self.least > LEVEL:
            return "no trend can be shown"
        if self.p >= LEVEL:
            return "no trend is shown"
        return f"it {'rises' if self.tau > 0 else 'falls'} with size in these models"

    @property
    def said(self) -> str:
        """What so many models allow to say."""
        n = len(self.points)
        few = f"{n} such values cannot give a p below {number(self.least)}: "
        also = "; family and size change together" if self.mixed else ""
        return f"{self.told}; {few if self.least > LEVEL else ''}{self.word}{also}"


@dataclass(frozen=True)
class Scale:
    """One value of a finding over the models it was measured on; without one of two sizes, none."""

    finding: str
    name: str
    unit: str
    points: tuple[Point, ...]
    trends: tuple[Trend, ...]
    published: Trend | None = None

    @property
    def sayings(self) -> tuple[str, ...]:
        """The trends in words, the published one last."""
        said = [f"{one.family}, {len(one.points)} models: {one.said}" for one in self.trends]
        if not said:
            said = ["no family has models of two sizes here: nothing can be said about size"]
        if self.published is not None:
            sizes = ", ".join(size_of(point.parameters) for point in self.published.points)
            whose = f"as published, {self.published.family}, over {sizes}"
            said.append(f"{whose}: {self.published.said}")
        return tuple(said)


def scales_of(
    records: Sequence[RunRecord], published: Mapping[str, Published]
) -> tuple[Scale, ...]:
    """Every value that a finding sets beside size, over the models of these runs.

    Of a model that is in several runs the last counts. A model of unknown size is left out.
    """
    last: dict[tuple[str, int, str], dict[str, tuple[Value, Point]]] = {}
    for record in records:
        for value, point in _measured(record):
            key = (value.spec_id, value.spec_version, value.name)
            last.setdefault(key, {})[point.model] = (value, point)
    return tuple(
        _scale(finding, name, list(found.values()), published)
        for (finding, _, name), found in last.items()
        if len(found) >= FEWEST
    )


def lines_of(scales: Sequence[Scale], width: int) -> Iterator[str]:
    """The trends within families in short, as a terminal shows them; nothing where none is."""
    told = [
        f"{scale.finding} {scale.name}, {len(one.points)} of {one.family}: {one.told}, {one.word}"
        for scale in scales
        for one in scale.trends
        if not one.mixed
    ]
    if told:
        yield "what scales"
    for line in told:
        yield from wrap(plain(line), width, initial_indent="  ", subsequent_indent="    ")


def size_of(parameters: int) -> str:
    """A number of weights as people say it: `1.2 M`, `9 B`."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if parameters >= unit:
            return f"{parameters / unit:.3g} {name}"
    return str(parameters)


def _measured(record: RunRecord) -> Iterator[tuple[Value, Point]]:
    cases = {case.nodeid: case for case in (*record.planned, *(end.case for end in record.ends))}
    tags = {model["id"]: model.get("tags", ()) for model in record.manifest.get("models", ())}
    for value in record.values:
        case, about = cases.get(value.nodeid), value.model or {}
        if case is None or value.metric not in case.scales or value.partial:
            continue
        if (size := int(about.get("parameters") or 0)) and not isinstance(value.value, str):
            model, family = str(about["id"]), str(about.get("family") or "unknown family")
            if SHIPPED in tags.get(model, ()):
                family = f"{family}, shipped"
            number = float(value.value)
            yield value, Point(model, family, size, number, value.low, value.high, value.n)


def _scale(
    finding: str,
    name: str,
    found: Sequence[tuple[Value, Point]],
    published: Mapping[str, Published],
) -> Scale:
    points = sorted((point for _, point in found), key=lambda one: (one.family, one.parameters))
    families = dict.fromkeys(point.family for point in points)
    trends = [
        _trend(family, [one for one in points if one.family == family]) for family in families
    ]
    if len(families) > 1:
        trends.append(_trend("all models", sorted(points, key=lambda one: one.parameters), True))
    names = [value.published or "" for value, _ in found]
    named = [published[name] for name in names if name in published]
    return Scale(
        finding,
        name,
        found[0][0].unit,
        tuple(points),
        tuple(one for one in trends if one is not None),
        _as_published(named[0], published) if named else None,
    )


def _as_published(entry: Published, published: Mapping[str, Published]) -> Trend | None:
    """The trend of the values that a source gives over the sizes of models."""
    points = [
        Point(one.model, one.source, one.parameters, float(one.value), one.low, one.high, one.n)
        for one in published.values()
        if (one.source, one.metric, one.unit) == (entry.source, entry.metric, entry.unit)
        and one.parameters is not None
    ]
    return _trend(entry.source, sorted(points, key=lambda one: one.parameters), True)


def _trend(family: str, points: Sequence[Point], mixed: bool = False) -> Trend | None:  # noqa: FBT001, FBT002  only here
    if len({point.parameters for point in points}) < FEWEST:
        return None
    import numpy as np  # noqa: PLC0415  only where there is something to compare

    from interp.stats import kendall  # noqa: PLC0415  likewise

    sizes, values = (
        np.array([getattr(point, part) for point in points]) for part in ("parameters", "value")
    )
    found = kendall(sizes, values)
    return Trend(family, tuple(points), found.effect, found.p, found.least, mixed)
