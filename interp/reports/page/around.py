"""What a run was made with, how it ended, and how to make it again."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from interp.reports.again import command_of, in_short
from interp.reports.exit_status import Session, outcome_of
from interp.reports.page.marks import UNKNOWN, mark_of_status
from interp.reports.page.told import Told, run_name
from interp.reports.page.view import Compared, Fact, Mark, Run
from interp.reports.record import RunRecord
from interp.reports.text import count, seconds

IDENTITY: Final = (
    "revision",
    "weights_digest",
    "dtype",
    "quantization",
    "backend",
    "attn_implementation",
    "device",
)
MODEL_HEAD: Final = (
    "model",
    "source",
    "revision",
    "weights (sha256)",
    "dtype",
    "quantisation",
    "backend",
    "attention",
    "device",
    "loaded in",
)


def run_of(told: Told, anchor: str, compared: Compared | None = None) -> Run:
    """One run as the page tells it."""
    record = told.record
    manifest = record.manifest
    git = manifest.get("git") or {}
    mark, headline = _ending(told)
    return Run(
        run_name(record),
        anchor,
        mark,
        headline,
        tuple(_notes(told)),
        tuple(_facts(manifest)),
        str(git.get("commit") or ""),
        bool(git.get("dirty")),
        MODEL_HEAD,
        tuple(_models(record)),
        tuple(_prompts(record)),
        tuple(Fact(str(name), str(one)) for name, one in manifest.get("versions", {}).items()),
        command_of(manifest),
        compared,
    )


def _ending(told: Told) -> tuple[Mark, str]:
    if told.outcome is not None:
        return mark_of_status(told.outcome.status), told.outcome.meaning
    record = told.record
    by_journal = outcome_of(record, Session(0)).meaning
    if record.running:
        return UNKNOWN, f"the run is not over; so far {by_journal}"
    open_ends = record.crashed or record.not_run
    why = "the run was cut off before it had one" if open_ends else "none was kept"
    return UNKNOWN, f"{why}; by its journal alone: {by_journal}"


def _notes(told: Told) -> Iterator[str]:
    record = told.record
    if record.crashed:
        yield (
            f"{count(len(record.crashed), 'case')} crashed; "
            "what they had measured is shown and marked partial"
        )
    if record.not_run:
        yield f"{count(len(record.not_run), 'case')} planned and never started"
    if record.torn:
        yield f"{count(record.torn, 'line')} of the journal cut short and left out"
    git = record.manifest.get("git") or {}
    if git.get("dirty"):
        yield "made with changes that were not committed: the commit alone does not reproduce it"
    if (vary := record.manifest.get("vary", "plain")) != "plain":
        yield f"computed another way on purpose: {vary}"


def _facts(manifest: Mapping[str, Any]) -> Iterator[Fact]:
    git = manifest.get("git") or {}
    if started := manifest.get("started"):
        yield Fact("started", f"{datetime.fromtimestamp(started, UTC):%Y-%m-%d %H:%M:%S} UTC")
    if git.get("commit"):
        yield Fact("commit", f"{git['commit']}{' with changes' if git.get('dirty') else ''}")
    argv = " ".join(shlex.quote(in_short(str(word))) for word in manifest.get("argv", []))
    yield Fact("arguments", argv or "none")
    for name in ("profile", "platform", "machine", "cpus"):
        if name in manifest:
            yield Fact({"cpus": "cores"}.get(name, name), str(manifest[name]))
    if manifest.get("host"):
        yield Fact("host (hashed)", str(manifest["host"]))


def _models(record: RunRecord) -> Iterator[tuple[str, ...]]:
    for load in record.loads:
        known = [str(load.identity.get(name) or "none") for name in IDENTITY]
        source = in_short(str(load.identity.get("source", "")))
        yield (load.model, source, *known, seconds(load.seconds))


def _prompts(record: RunRecord) -> list[tuple[str, ...]]:
    """Every prompt set of the run, once for each tokenisation."""
    found = {
        tuple(str(one.get(part, "")) for part in ("name", "n", "digest", "tokens"))
        for value in record.values
        for one in getattr(value, "prompts", ())
    }
    return sorted(found)
