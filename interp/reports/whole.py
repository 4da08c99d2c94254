"""Whether a run was of all that there is of a model, so that what it lacks is gone."""

from pathlib import Path
from typing import Final

from interp.reports.joining import RUNS
from interp.reports.record import RunRecord
from interp.reports.text import count
from interp.reports.verdicts import ACCEPTABLE

WHOLE: Final = frozenset({"specs", "specs/findings"})
PARTLY: Final = (
    "--ignore",
    "--lf",
    "--last-failed",
    "--sw",
    "--stepwise",
    "--continue-on-collection-errors",
)


def why_not_full(record: RunRecord, model: str | None) -> str:
    """Why a run does not tell what there is of a model; empty if it ran all of its findings."""
    manifest = record.manifest
    paths = [str(path).rstrip("/") for path in manifest.get("paths", ())]
    words = [word for one in (manifest, *manifest.get(RUNS, ())) for word in one.get("argv", ())]
    options = [word for word in words if str(word).startswith(PARTLY)]
    planned = [case for case in record.planned if case.model == model and case.role == "finding"]
    ended = {end.case.nodeid for end in record.ends if end.verdict in ACCEPTABLE}
    open_still = sum(case.nodeid not in ended for case in planned)
    if not planned:
        return "no finding was planned on it"
    if manifest.get("deselected", 1):
        return "some specs were left out by -k, -m or --deselect"
    if options:
        return f"it ran with {options[0]}"
    if not any(path in WHOLE or _is_root(path, record) for path in paths):
        return f"it ran {', '.join(paths) or 'nothing that is known'} and not all of specs"
    return f"{count(open_still, 'finding')} came to no verdict" if open_still else ""


def _is_root(path: str, record: RunRecord) -> bool:
    """Whether a path is the project itself, which holds the planned specs by their names."""
    files = {case.nodeid.split("::")[0] for case in record.planned}
    return path == "." or (
        Path(path).is_absolute() and all((Path(path) / one).is_file() for one in files)
    )
