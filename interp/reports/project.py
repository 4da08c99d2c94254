"""Where a command finds the reports of the project that it is called in."""

from pathlib import Path

from interp.errors import InterpError
from interp.registry import find_registry


def reports_folder(given: Path | None) -> Path:
    """Where runs and baselines are: as given, or `reports` beside the project's `fixtures`."""
    if given is not None:
        return given.absolute()
    try:
        return find_registry(Path.cwd()).parents[1] / "reports"
    except InterpError:
        return Path.cwd() / "reports"
