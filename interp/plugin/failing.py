"""The contracts that failed: what rests on them is invalid, whichever process saw it."""

from contextlib import suppress
from pathlib import Path

from interp.errors import InterpError
from interp.reports.record import Case, End, failed_contracts, read_run


class FailedContracts:
    """The contracts that this process saw fail, and those that failed before it came.

    Args:
        run: the folder of the run.
        inherits: whether another process may have had our models before us.
    """

    def __init__(self, run: Path, *, inherits: bool) -> None:
        self._run = run
        self._inherits = inherits
        self._model: str | None = None
        self._failed: dict[str, list[Case]] = {}

    def turn_to(self, model: str | None) -> None:
        """On a model that is new here, learn which contracts failed on it, or killed a process."""
        if model == self._model:
            return
        self._model = model
        if model is None or not self._inherits:
            return
        with suppress(InterpError):
            record = read_run(self._run)
            # Of this model only: what is open on another is running in another worker.
            self._failed[model] = failed_contracts(record.ends, record.crashed).get(model, [])

    def add(self, end: End) -> None:
        """Remember a contract that did not hold."""
        if end.case.role == "contract" and end.verdict == "fails" and end.case.model is not None:
            self._failed.setdefault(end.case.model, []).append(end.case)

    def on(self, model: str) -> list[Case]:
        """The contracts that failed on this model."""
        return self._failed.get(model, [])
