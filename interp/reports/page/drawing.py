"""The page as HTML: one file, with its style and its script in it, and a policy that says so."""

import hashlib
from base64 import b64encode
from importlib.resources import files
from typing import Any

from interp.reports.page.escaping import visible
from interp.reports.page.marks import LEGEND, OF_VERDICT
from interp.reports.page.view import Page

POLICY = (
    "default-src 'none'; img-src data:; style-src '{style}'; script-src '{script}'; "
    "base-uri 'none'; form-action 'none'"
)


def html_of(page: Page) -> str:
    """The whole file; the same page gives the same bytes."""
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415  only reports need it

    def finish(said: Any) -> Any:
        return said if hasattr(said, "__html__") else visible(said)  # what a template has made

    sources = {name: _file(name) for name in ("page.html", "parts.html")}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        finalize=finish,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _file("page.css"), _file("page.js")
    policy = POLICY.format(style=_hash(style), script=_hash(script))
    template = environment.get_template("page.html")
    return template.render(
        page=page,
        legend=LEGEND,
        troubled=OF_VERDICT["error"]._replace(word="figure"),
        policy=policy,
        style=style,
        script=script,
    )


def _file(name: str) -> str:
    return (files("interp.reports.page") / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
