"""Values over the sizes of models, as the page shows them."""

from collections.abc import Iterator, Sequence

from interp.reports.page.view import Link, Section, Sizes
from interp.reports.scaling import Point, Scale, size_of
from interp.reports.text import interval, number


def sizes_of(scales: Sequence[Scale], sections: Sequence[Section]) -> Iterator[Sizes]:
    """Each value with its models, the published ones below them, and what they allow to say."""
    places = {
        section.row.name.partition(" ")[0]: section.row.anchor for section in reversed(sections)
    }
    for scale in scales:
        anchor = places.get(scale.finding, "")
        name = Link(f"{scale.finding} {scale.name}", f"#{anchor}" if anchor else "")
        theirs = scale.published.points if scale.published else ()
        yield Sizes(name, scale.unit, tuple(map(_row, (*scale.points, *theirs))), scale.sayings)


def _row(point: Point) -> tuple[str, ...]:
    return (
        point.model,
        point.family,
        size_of(point.parameters),
        number(point.value),
        interval(point.low, point.high),
        "" if point.n is None else str(point.n),
    )
