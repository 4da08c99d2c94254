"""Collection: every spec on every model, each model in one run, contracts first."""

from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from interp.errors import DataError, RequestError
from interp.plugin.cases import describe, spec_of, uses_ours
from interp.plugin.recording import RECORDER
from interp.plugin.resuming import SpecNow, note_specs
from interp.plugin.selection import Candidate, Selection
from interp.plugin.setting import SETTING, Setting, is_worker
from interp.plugin.source import spec_hash
from interp.reports.record import Role

ORDER: Final[tuple[Role, ...]] = ("contract", "calibration", "finding", "spec")
NO_MODEL: Final = "no-model"
ELSEWHERE: Final = "restricted to models that are not in this session"


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a spec that asks for `model` one case for each model, named first in its id."""
    item = metafunc.definition
    if not uses_ours(metafunc._arg2fixturedefs, "model"):  # noqa: SLF001  no public way to ask
        return
    setting = metafunc.config.stash[SETTING]
    patterns = [str(word) for mark in item.iter_markers("on") for word in mark.args]
    try:
        of_language = any(item.get_closest_marker(role) for role in ("finding", "calibration"))
        candidates = setting.selection.on(patterns, of_language=of_language)
    except RequestError as error:
        raise pytest.Collector.CollectError(str(error)) from None
    params = [_param(one, setting) for one in candidates] or [_no_model(setting)]
    metafunc.parametrize("model", params, indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the specs in order and open the journal; where there are none, touch nothing."""
    specs = describe(items)
    if not specs:
        return
    _deselect_elsewhere(config, items)
    _sort(items, config.stash[SETTING].selection)
    _go_on(config, items)
    selected = [spec for item in items if (spec := spec_of(item)) is not None]
    if config.option.collectonly or not selected:
        return
    try:
        config.stash[RECORDER].open(selected)
    except DataError as error:
        if not is_worker(
            config
        ):  # a worker says so in its first spec: xdist cannot pass it on here
            raise pytest.UsageError(str(error)) from None


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count the specs that the session leaves out: what was not selected is not missing."""
    for item in items:
        if spec_of(item) is None and describe([item]):
            item.config.stash[RECORDER].deselected += 1


def _param(one: Candidate, setting: Setting) -> object:
    marks = []
    if not one.here.present and not setting.options.require_models:
        marks = [pytest.mark.skip(reason=one.reason)]
    return pytest.param(one.spec.id, id=one.spec.id, marks=marks)


def _no_model(setting: Setting) -> object:
    """The one case of a spec that has no model: a skip that says why, under the gate an error."""
    selection = setting.selection
    if selection.chosen:
        return pytest.param(NO_MODEL, id=NO_MODEL, marks=[pytest.mark.skip(reason=ELSEWHERE)])
    fetch = next((one.here.fetch for one in selection.absent if one.here.fetch), "")
    reason = f"no model is here; {fetch or 'name one in fixtures/models.toml or with --model'}"
    marks = [] if setting.options.require_models else [pytest.mark.skip(reason=reason)]
    return pytest.param(NO_MODEL, id=NO_MODEL, marks=marks)


def _deselect_elsewhere(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the specs that are restricted to models which this session does not have."""

    def elsewhere(item: pytest.Item) -> bool:
        spec = spec_of(item)
        skips = [mark.kwargs.get("reason") for mark in item.iter_markers("skip")]
        return spec is not None and spec.case.model == NO_MODEL and ELSEWHERE in skips

    out = [item for item in items if elsewhere(item)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def _go_on(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where a run is resumed, take out the specs that are over and those that it did not plan.

    Raises:
        pytest.UsageError: one that is over is another than it was.
    """
    resumed = config.stash[SETTING].resumed
    if resumed is None:
        return
    here = dict(_specs_that_are_here(items))
    if is_worker(config):
        note_specs(config.stash[SETTING].run, here)
    else:
        resumed.check_specs(here)
    out = [item for item in items if spec_of(item) and resumed.leaves_out(item.nodeid)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def _specs_that_are_here(items: Sequence[pytest.Item]) -> Iterator[tuple[str, SpecNow]]:
    for item in items:
        if isinstance(item, pytest.Function) and (spec := spec_of(item)) is not None:
            yield item.nodeid, (spec.case.spec_id, spec.case.spec_version, spec_hash(item))


def _sort(items: list[pytest.Item], selection: Selection) -> None:
    """Ordinary tests first, then model by model; contracts before what rests on them."""
    ranks = {one.spec.id: rank for rank, one in enumerate(selection.chosen)}

    def place(item: pytest.Item) -> tuple[int, int]:
        spec = spec_of(item)
        if spec is None or spec.case.model is None:
            return (-1, 0)
        return (ranks.get(spec.case.model, len(ranks)), ORDER.index(spec.case.role))

    items.sort(key=place)
