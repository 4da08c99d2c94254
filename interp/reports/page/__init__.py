"""The report of a run as one HTML file that needs nothing else: no network, no script."""

from collections.abc import Mapping, Sequence

from interp.reports.page.told import Href, Told
from interp.reports.published import Published

__all__ = ["Told", "render"]


def render(runs: Sequence[Told], published: Mapping[str, Published], *, href: Href) -> str:
    """The page of one run, or of several side by side.

    Args:
        runs: each with the exit status it ended with, None for one that was cut off.
        published: the values of papers, by id.
        href: from the path of a spec's file to where the page finds it; empty for nowhere.
    """
    from interp.reports.page.building import page_of  # noqa: PLC0415  only reports need it
    from interp.reports.page.drawing import html_of  # noqa: PLC0415  likewise

    return html_of(page_of(runs, published, href))
