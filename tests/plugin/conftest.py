"""A small project of its own for the plugin to run in."""

import json
import os
import textwrap
from pathlib import Path

import numpy as np  # noqa: F401  pytester forgets modules that an inner run is first to import
import pytest

from interp.reports.folders import list_runs
from interp.reports.record import read_run

OURS_ALONE = ("-p", "interp.plugin", "-p", "no:cacheprovider", "--no-report")
LIGHT_MODELS = Path(__file__).with_name("light_models.py").read_text()
SPEC_HEAD = Path(__file__).with_name("spec_head.py").read_text()


class Project:  # noqa: PLR0904  one method for each thing a project has
    """A folder with models, specs and reports of its own, outside this repository."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        self.entries = []

    def models(self, *ids, entry=""):
        """Models that are here, for all that can be told without loading them."""
        for name in ids:
            self.registered(name, entry)
            folder = self.path / "fixtures" / "weights" / name
            folder.mkdir(parents=True)
            for file in ("config.json", "tokenizer.json", "model.safetensors"):
                (folder / file).write_text("{}")
        return self

    def registered(self, name, entry=""):
        """An entry of the registry whose folder is not there."""
        self.entries.append(f'["{name}"]\npath = "weights/{name}"\n{entry}\n')
        self.write("fixtures/models.toml", "\n".join(self.entries))
        if not (self.path / "conftest.py").exists():
            self.write("conftest.py", LIGHT_MODELS)
        return self

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def spec(self, text, name="test_spec.py"):
        return self.write(f"specs/{name}", SPEC_HEAD + textwrap.dedent(text))

    def run(self, *args):
        """Run pytest in this process, with no plugin but ours.

        pytester remembers every hook call and with a failure the model in its frames, so here, and
        only here, a model outlives its last spec when that one fails.
        """
        held = "ignore::interp.plugin.freeing.ModelNotFreedWarning"
        return self.pytester.runpytest_inprocess(*OURS_ALONE, "-W", held, *args)

    def start(self, *args, timeout=60):
        """Run pytest in a process of its own, with no plugin but ours."""
        return self.pytester.runpytest_subprocess(*OURS_ALONE, *args, timeout=timeout)

    @property
    def runs(self):
        return list_runs(self.path / "reports")

    @property
    def record(self):
        """The last run."""
        return read_run(self.runs[-1])

    @property
    def verdicts(self):
        """The verdict of each case of the last run, by spec and model."""
        ends = self.record.ends
        return {(end.case.spec_id, end.case.model): end.verdict for end in ends}

    @property
    def loads(self):
        """Which model was loaded in which process, in order."""
        path = self.path / "loads.txt"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def baseline(self, model, *rows):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        return self.write(f"reports/baselines/{model}.jsonl", lines)


@pytest.fixture
def project(pytester, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", os.fspath(pytester.path / "hub"))
    return Project(pytester)
