"""A sweep that is killed in its middle goes on from what it had finished, to the same numbers."""

import signal

from interp.backends.torch_twins import write_twin

SPEC = """
import os, signal
from pathlib import Path

import numpy as np
from interp import random_direction, resid_post, steer, sweep
from interp.backends.torch_sharing import TorchSharing
from interp.means import Means, given, means

TEXTS = ["The capital of France is Paris .", "hot -> cold , big"]
STOPS = {"": (3, signal.SIGINT), "once": (4, signal.SIGKILL), "twice": (10**6, None)}
right, seen = TorchSharing.wave, []
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

def wave(self, *args, **settings):
    before = Path("before").read_text() if Path("before").exists() else ""
    most, stop = STOPS[before]
    if "go" in os.environ and len(seen) == most:
        Path("before").write_text({"": "once", "once": "twice"}[before])
        os.kill(os.getpid(), stop)
    seen.append(1)
    return right(self, *args, **settings)

@pytest.mark.finding("sweeps.go-on", source="ours")
def test_it(model, measured, monkeypatch):
    pushes = [random_direction(model, resid_post(layer), seed=layer) for layer in model.layers]
    variants = [(steer(one.site, one, alpha=dose, at="last"),) for one in pushes for dose in (1, 2)]
    sweep(model, TEXTS, variants[:3], read=lambda one: one.logits)  # the model is probed here
    monkeypatch.setattr(TorchSharing, "wave", wave)
    monkeypatch.setenv("go", "")
    grid = sweep(model, TEXTS, variants, read=lambda one: one.logits)
    monkeypatch.delenv("go")
    with given(Means(means().memory)):
        whole = sweep(model, TEXTS, variants, read=lambda one: one.logits)
    measured("kept", grid.work.kept)
    measured("same_bits", bool(np.array_equal(grid.values, whole.values)))
"""


def size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*.kept"))


def test_a_killed_sweep_goes_on_to_the_same_numbers(project):
    write_twin("llama", project.path / "llama")
    project.write("fixtures/models.toml", '[mine]\npath = "../llama"\n')
    project.spec(SPEC)
    words = ("-k", "test_it", "--memory", "3KB")
    assert project.start(*words).ret == 2
    kept = project.runs[0] / "kept"
    after_interrupt = size(kept)
    assert project.start(*words, "--resume", "latest").ret == -signal.SIGKILL
    assert size(kept) > after_interrupt > 0
    assert project.start(*words, "--resume", "latest", "--retry-crashed").ret == 0
    values = {value.metric: value.value for value in project.record.values}
    assert 0 < values["kept"] < 16
    assert values["same_bits"]
    assert not kept.exists()
    assert [list(end.sweeps) for end in project.record.ends] == [["cone"]]
    assert len(project.runs) == 1


def test_a_size_is_written_as_people_write_it(project):
    project.models("llama-a").spec("def test_it(model, measured): measured('x', 1)")
    result = project.run("--memory", "much")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*'much' is no size; write 2GB, 512MiB or bytes*"])
    assert project.run("--memory", "1.5 GiB").ret == 0
