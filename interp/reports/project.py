"""Where a command finds the reports of the project that it is called in."""

from pathlib import Path

from interp.errors import InterpError
from interp.project import find_registry, ini_path


def reports_folder(given: Path | None) -> Path:
    """Where runs and baselines are: as given, or `reports` beside the project's `fixtures`.

    Where the ini file of pytest names another folder (`interp_reports`), that.
    """
    if given is not None:
        return given.absolute()
    # A registry of another name need not lie in `fixtures`, so it does not tell where the root is.
    elsewhere = ini_path(Path.cwd(), "interp_models") is not None
    named = ini_path(Path.cwd(), "interp_reports", "reports" if elsewhere else None)
    if named is not None:
        return named
    try:
        return find_registry(Path.cwd()).parents[1] / "reports"
    except InterpError:
        return Path.cwd() / "reports"


def published_file(reports: Path) -> Path:
    """The values of papers: where the ini file says (`interp_published`), or with the reports."""
    return ini_path(Path.cwd(), "interp_published") or reports / "published.toml"
