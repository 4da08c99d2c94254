"""With pytest-xdist: one setting for all workers, one worker for each model."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from interp.plugin.scheduling import Group, ModelScheduling, Node
from interp.plugin.setting import SETTING, WORKER_INPUT, pack, set_for_session
from interp.reports.manifest import cpu_count

WHOLE_MODELS: Final = "interp_whole_models"
OURS_TO_SCHEDULE: Final = ("load", "loadgroup")


class Distributed:
    """The hooks of the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._setting = config.stash[SETTING]
        self._workers = 1

    @property
    def whole_models(self) -> bool:
        """Whether the tests of a model stay on one worker."""
        return self._setting.ours and self._config.getoption("dist") in OURS_TO_SCHEDULE

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config, specs: Sequence[object]) -> None:
        """Share the cores among the workers, before any of them starts."""
        self._workers = len(specs)
        if self._setting.ours:
            threads = max(1, cpu_count() // len(specs))
            set_for_session(config, "OMP_NUM_THREADS", str(threads))
            set_for_session(config, "TOKENIZERS_PARALLELISM", "false")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand a worker the setting, so that all of them collect the same."""
        node.workerinput[WORKER_INPUT] = pack(self._setting)
        node.workerinput[WHOLE_MODELS] = self.whole_models

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self) -> ModelScheduling | None:
        """Our scheduler where xdist's default was asked for; one that was named is respected."""
        if self.whole_models:
            return ModelScheduling(self._workers, self._groups, self._disagree)
        if self._setting.ours:
            self._say_what_it_costs()
        return None

    def _groups(self, collection: Sequence[str]) -> list[Group]:
        """The tests of a model together, as the workers wrote down; any other test for itself."""
        models: dict[str, str] = {}
        planned = self._setting.run / "collection.json"
        if planned.is_file():
            cases = json.loads(planned.read_text(encoding="utf-8"))
            models = {case["nodeid"]: case["model"] for case in cases if case["model"]}
        groups: dict[object, Group] = {}
        for place, nodeid in enumerate(collection):
            groups.setdefault(models.get(nodeid, place), []).append(place)
        return list(groups.values())

    def _disagree(self, node: Node) -> None:
        message = f"{node} collected other tests than the first worker did; nothing more is started"
        report = pytest.CollectReport("interp", "failed", longrepr=message, result=[])
        self._config.hook.pytest_collectreport(report=report)

    def _say_what_it_costs(self) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line(
                f"interp: with --dist {self._config.getoption('dist')} a model is loaded by each "
                "worker that meets it; leave --dist away to load each model once"
            )
