"""SIGKILL at random moments, of workers and of controllers: nothing is lost or started twice.

Runs are killed, gone on with and killed again until they are complete. Each spec notes a value in a
file of its own after `measured` has given it back: what stands there must be in the merge.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from interp.reports.joining import merge_in_place
from interp.reports.lines import read_folder
from interp.reports.record import read_run

KILLS = {0: 20, 2: 18, 4: 14}
LIGHT_MODELS = Path(__file__).with_name("plugin") / "light_models.py"
MODELS = ("gpt-a", "llama-b", "qwen-c", "gemma-d")
SPEC = """
import os, random, time
import pytest

@pytest.mark.contract
def test_contract(model): assert model.is_open

@pytest.mark.finding("area.claim")
@pytest.mark.parametrize("case", range(12))
def test_claim(model, measured, case):
    noted = os.open(f"noted-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for step in range(3):
        time.sleep(random.uniform(0, 0.02))
        value = measured("x", random.random(), step=step)
        os.write(noted, f"{model.spec.id} {case} {step} {value!r}\\n".encode())
    os.close(noted)
"""


@pytest.fixture
def folder(tmp_path):
    """A project with four models that cost nothing, and 52 specs."""
    (tmp_path / "conftest.py").write_text(LIGHT_MODELS.read_text())
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "test_spec.py").write_text(SPEC)
    for name in MODELS:
        weights = tmp_path / "fixtures" / "weights" / name
        weights.mkdir(parents=True)
        for file in ("config.json", "tokenizer.json", "model.safetensors"):
            (weights / file).write_text("{}")
    entries = [f'["{name}"]\npath = "weights/{name}"\n' for name in MODELS]
    (tmp_path / "fixtures" / "models.toml").write_text("\n".join(entries))
    return tmp_path


@dataclass
class Killer:
    """Kills sessions of one run at moments that a seed decides."""

    folder: Path
    workers: int
    chance: random.Random
    kills: Counter
    longest: float = 0.0  # seconds that a worker outlived its controller

    @property
    def run(self):
        return self.folder / "run"

    def start(self):
        ways = ("-p", "no:xdist") if not self.workers else ("-p", "xdist", "-n", str(self.workers))
        run = ("--resume", "run") if (self.run / "manifest.json").exists() else ("--run-dir", "run")
        words = ["-m", "pytest", "-q", "-p", "interp.plugin", "-p", "no:cacheprovider", *ways, *run]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"}
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def see_one_measure(self, process):
        before = self.noted()
        wait_until(lambda: self.noted() > before or process.poll() is not None)

    def noted(self):
        return sum(path.stat().st_size for path in self.folder.glob("noted-*"))

    def kill_some(self):
        """One session: kill a few of its workers while it runs, then its controller."""
        process = self.start()
        if self.chance.random() < 0.7:  # else at any moment, also before anything is measured
            self.see_one_measure(process)
        for _ in range(self.chance.randint(0, 3) if self.workers else 0):
            time.sleep(self.chance.uniform(0, 0.3))
            victims = [one for one in group(process.pid) if one != process.pid]
            if victims and process.poll() is None:
                kill(self.chance.choice(victims))
                self.kills["worker"] += 1
        time.sleep(self.chance.uniform(0, 0.3))
        if self.chance.random() < 0.5:  # most likely in the middle of a spec
            self.see_one_measure(process)
        if process.poll() is None:
            kill(process.pid)
            self.kills["controller"] += 1
        process.wait()
        died = time.monotonic()
        wait_until(lambda: not group(process.pid))
        self.longest = max(self.longest, time.monotonic() - died)

    def is_complete(self):
        if not list(self.run.glob("parts/*")):
            return False
        record = read_run(self.run)
        return bool(record.planned) and not record.not_run


def kill(process):
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def group(leader):
    """The processes of a session that are alive, its leader included."""
    command = [shutil.which("ps"), "-A", "-o", "pid=,pgid=,stat="]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = (line.split() for line in told.splitlines())
    return [int(pid) for pid, pgid, stat in rows if int(pgid) == leader and "Z" not in stat]


def wait_until(true, patience=20.0):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def noted(folder):
    """What the specs saw recorded; a line that the kill cut short was not seen by anybody."""
    text = "".join(path.read_text() for path in folder.glob("noted-*"))
    return [tuple(line.split()) for line in text.splitlines() if line.count(" ") == 3]


def recorded(folder):
    values = read_run(folder / "run").values
    return Counter(
        (value.model_id, str(value.labels["case"]), str(value.labels["step"]), repr(value.value))
        for value in values
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", KILLS)
def test_kills_lose_nothing_and_start_nothing_twice(folder, workers):
    pytest.importorskip("xdist", reason="pytest-xdist is an extra")
    killer, runs, crashed = Killer(folder, workers, random.Random(workers), Counter()), 0, 0
    kills = killer.kills
    while kills.total() < KILLS[workers]:
        while kills.total() < KILLS[workers] and not killer.is_complete():
            killer.kill_some()
            if list(killer.run.glob("parts/*")):
                merge_in_place(killer.run)  # with no controller alive
                check(folder)
        assert killer.start().wait(60) in {0, 11, 12}
        check(folder)
        record = read_run(killer.run)
        assert record.not_run == ()
        assert len(record.ends) + len(record.crashed) == len(record.planned) == 52
        runs, crashed = runs + 1, crashed + len(record.crashed)
        killer.run.rename(folder / f"run-{runs}")
        for path in folder.glob("noted-*"):
            path.unlink()
    assert 0 < crashed <= kills.total()  # some moments were in the middle of a spec
    print(f"-n {workers}: {dict(kills)} killed, {crashed} specs crashed, {runs} runs,", end=" ")  # noqa: T201
    print(f"a worker outlived its controller by {killer.longest:.1f} s")  # noqa: T201


def check(folder):
    rows = read_folder(folder / "run").rows
    lines = {(row["writer"], row["seq"]): row for row in rows}.values()  # merged and in its part
    starts = Counter(row["nodeid"] for row in lines if row["kind"] == "test_start")
    assert set(starts.values()) <= {1}
    kept = recorded(folder)
    assert [value for value in noted(folder) if kept[value] != 1] == []
