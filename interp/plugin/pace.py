"""How long a session will still take: from the last runs, else from its own pace."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from interp.errors import DataError
from interp.reports.folders import list_runs
from interp.reports.record import Case, read_run

LOOK_BACK: Final = 5


class Pace:
    """The cases that are left, with what each is likely to take."""

    def __init__(
        self, planned: Iterable[Case], known: Mapping[str, float], workers: int = 1
    ) -> None:
        self._left = {case.nodeid: known.get(case.nodeid) for case in planned}
        self._workers = workers
        self._took = 0.0
        self._done = 0

    def done(self, nodeid: str, duration: float) -> None:
        """A case has ended."""
        if nodeid in self._left:
            del self._left[nodeid]
            self._done += 1
            self._took += duration

    def left(self) -> float | None:
        """The seconds that are left; None while there is nothing to tell it from."""
        known = [duration for duration in self._left.values() if duration is not None]
        unknown = len(self._left) - len(known)
        if not unknown:
            return sum(known) / self._workers
        if not self._done:
            return None
        return (sum(known) + unknown * self._took / self._done) / self._workers


def durations(reports: Path) -> dict[str, float]:
    """What each case took when it last ended, in one of the last runs."""
    took: dict[str, float] = {}
    for folder in reversed(list_runs(reports)[-LOOK_BACK:]):
        with suppress(DataError, OSError, KeyError, TypeError):
            for end in read_run(folder).ends:
                took.setdefault(end.case.nodeid, end.seconds)
    return took
