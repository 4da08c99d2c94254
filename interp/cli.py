"""The command `interp`: which models there are, fetching one, noise, diffs, planted bugs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from interp.accept import accept
from interp.calibrate import calibrate
from interp.diff import diff
from interp.errors import InterpError, RequestError
from interp.export import export
from interp.merging import merge
from interp.mutants.command import mutants
from interp.project import find_registry
from interp.prune import prune
from interp.registry import (
    BackendName,
    ModelSpec,
    Registry,
    load_registry,
    resolve,
)
from interp.report import report
from interp.reports.text import size
from interp.sources import availability, download, size_of

app = typer.Typer(
    help="Findings about the inside of language models, as pytest specs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(accept)
app.command()(calibrate)
app.command()(diff)
app.command()(export)
app.command()(merge)
app.command()(mutants)
app.command()(prune)
app.command()(report)


@dataclass(frozen=True)
class Listed:
    """One row of `interp models`."""

    id: str
    source: str
    present: bool
    reason: str
    fetch: str
    size: str
    bytes: int | None
    estimated: bool | None
    backend: str
    dtype: str
    tags: str
    family: str
    licence: str
    mlx: str
    url: str


def main() -> None:
    """Run the command; an error of ours is said in its own words, without a traceback."""
    try:
        app()
    except InterpError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None


@app.callback(invoke_without_command=True)
def interp(
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,  # noqa: FBT002  typer's way to write a flag
) -> None:
    """Findings about the inside of language models, as pytest specs."""
    if version:
        from importlib.metadata import version as version_of  # noqa: PLC0415  only here

        typer.echo(f"interp {version_of('interp-specs')}")
        raise typer.Exit


@app.command()
def models(
    backend: Annotated[
        BackendName | None, typer.Option(help="Their files for this backend, where it has others.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A list of flat objects.")] = False,  # noqa: FBT002  typer's way to write a flag
) -> None:
    """List the models of the registry, and which of them are here."""
    rows = [_listed(spec.on(backend)) for spec in _registry().specs.values()]
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    width = max((len(row.id) for row in rows), default=0)
    for row in rows:
        what = "here" if row.present else f"not here: {row.fetch or row.reason}"
        about = f" (about {size(row.bytes)})" if row.bytes and row.estimated else ""
        typer.echo(f"{row.id.ljust(width)}  {what}{about}")


@app.command()
def fetch(
    model: Annotated[str, typer.Argument(help="An id of the registry, or org/name[@revision].")],
    backend: Annotated[
        BackendName | None, typer.Option(help="Its files for this backend, where it has others.")
    ] = None,
) -> None:
    """Download a model into the local cache of huggingface_hub."""
    try:
        specs = resolve(_registry_or_empty(), [model])
    except InterpError as error:
        raise error.during(f"interp fetch {model}") from None
    for spec in specs:
        _fetch(spec.on(backend))


def _fetch(spec: ModelSpec) -> None:
    if availability(spec).present:
        typer.echo(f"{spec.id}: here already")
        return
    if spec.is_local:
        raise RequestError(
            "a model that is a folder is not on the hub",
            asked=f"interp fetch {spec.id}",
            received=availability(spec).reason,
            hint="restore the folder from git, or from where it came",
        )
    if about := size_of(spec):
        typer.echo(f"{spec.id}: about {size(about.bytes)} of weights, estimated")
    files = download(spec, look_only=True)
    whole = sum(of for _, of in files) / 1e9
    typer.echo(f"{spec.id}: fetching {len(files)} files, {whole:.2f} GB, from {spec.source}")
    download(spec)
    after = availability(spec)
    typer.echo(f"{spec.id}: {'here' if after.present else after.reason}")
    if not after.present:
        raise typer.Exit(1)


def _registry() -> Registry:
    return load_registry(find_registry(Path.cwd()))


def _registry_or_empty() -> Registry:
    """The registry, or an empty one where there is none: a hub name needs no registry."""
    try:
        path = find_registry(Path.cwd())
    except InterpError:
        return Registry(None, {})
    return load_registry(path)


def _listed(spec: ModelSpec) -> Listed:
    here, known, billions = availability(spec), size_of(spec), (spec.parameters or 0) / 1e9
    return Listed(
        spec.id,
        spec.source,
        here.present,
        here.reason,
        here.fetch,
        f"{billions:.2f}B" if billions >= 0.1 else f"{1e3 * billions:.1f}M" if billions else "",  # noqa: PLR2004
        known.bytes if known else None,
        known.estimated if known else None,
        spec.backend,
        spec.dtype,
        ",".join(spec.tags),
        spec.family,
        spec.licence,
        spec.mlx or spec.mlx_path,
        spec.url or ("" if spec.is_local else f"https://huggingface.co/{spec.source}"),
    )
