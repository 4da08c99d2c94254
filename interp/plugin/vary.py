"""`--vary`: the same session computed another harmless way, for `interp calibrate` to compare."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from interp.errors import RequestError
from interp.plugin.hookspecs import LoadedModel
from interp.registry import ModelSpec
from interp.reports.noise import ONLY_ON_TORCH

# How rows are handed to the model, as arguments of interp.backends.varied.Varied.
ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    "order": {"backwards": True},
    "batch-4": {"at_a_time": 4},
    "batch-1": {"at_a_time": 1},
}
THREADS: Final = {"threads-2": "2"}
VARIABLE: Final = "OMP_NUM_THREADS"


def set_threads(config: pytest.Config, vary: str) -> None:
    """Set the number of threads of a variation, which torch reads when it is imported.

    Raises:
        pytest.UsageError: torch was imported before.
    """
    threads = THREADS.get(vary)
    before = os.environ.get(VARIABLE)
    if threads is None or threads == before:
        return
    if "torch" in sys.modules:
        message = f"--vary {vary}: torch is imported already; set {VARIABLE}={threads} beforehand"
        raise pytest.UsageError(message)
    os.environ[VARIABLE] = threads

    def restore() -> None:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before

    config.add_cleanup(restore)


def refuse_absent(vary: str, specs: Iterable[ModelSpec]) -> None:
    """Nothing, if every engine of these models has this variation.

    Raises:
        RequestError: one has not, so that nothing would be varied and the noise be called zero.
    """
    for spec in specs:
        if vary in ONLY_ON_TORCH and spec.backend != "torch":
            raise RequestError(
                f"the {spec.backend} backend has no such variation",
                asked=f"--vary {vary}",
                expected="rows in another order or number, which every backend has",
                where=spec.id,
                hint=f"interp calibrate --backend {spec.backend}, which leaves it out",
            )


def spec_for(spec: ModelSpec, vary: str) -> ModelSpec:
    """The model as this variation asks for it."""
    return replace(spec, attn_implementation="eager") if vary == "eager" else spec


def varied(loaded: LoadedModel, vary: str) -> LoadedModel:
    """The model as this variation runs it.

    Raises:
        RequestError: it is loaded in the project's own way, and has no rows to vary.
    """
    if vary not in ROWS:
        return loaded
    from interp.backends.varied import Varied  # noqa: PLC0415  numpy, once a model is loaded
    from interp.backends.varied_thinking import VariedThinker  # noqa: PLC0415  likewise
    from interp.models import Model  # noqa: PLC0415  likewise

    if not isinstance(loaded, Model):
        raise RequestError(
            "only a model of this library can be varied in its rows",
            asked=f"--vary {vary}",
            expected="interp.Model",
            received=type(loaded).__name__,
            hint="leave this variation out: interp calibrate --vary repeat",
        )
    kind = VariedThinker if loaded.backend.info.thoughts else Varied
    return replace(loaded, backend=kind(loaded.backend, **ROWS[vary]))
