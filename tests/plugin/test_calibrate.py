"""The command that measures the noise: every number, every way, kept sorted and replaced whole."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from interp.calibrate import Asked, _run
from interp.cli import app
from interp.errors import DataError, RequestError
from interp.reports.noise import Noise, load_noise, noise_file, save_noise

MODELS = Path(__file__).with_name("identified_models.py").read_text()
PLACE = {"backend": "torch", "device": "cpu", "dtype": "float32", "quantization": ""}
OTHER = Noise("area.claim", 1, "gain", {}, "", PLACE, "w", 0.01, 0.02, "order", 5)
MOVES = """
import os

@pytest.mark.finding("area.attention", version=2)
@pytest.mark.parametrize("layer", [3])
def test_attention(model, measured, layer):
    measured("gain", 0.75 if model.spec.attn_implementation == "eager" else 0.5)
    measured("word", str(model.spec.attn_implementation))
    assert measured("still", True)

@pytest.mark.finding("area.threads")
def test_threads(model, measured):
    measured("threads", int(os.environ["OMP_NUM_THREADS"]))

@pytest.mark.finding("area.fails")
def test_fails(model, measured):
    assert measured("loss", 1.5) < 1
"""


@pytest.fixture
def light(project, monkeypatch):
    """A project with a light model, in which commands are given."""
    project.write("conftest.py", MODELS)
    project.models("llama-a")
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p interp.plugin")
    return project


def calibrate(*words):
    result = CliRunner().invoke(app, ["calibrate", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def finding(light, text):
    head = "import pytest\n" + text
    return light.write("specs/findings/test_it.py", head)


def noise_of(light, model="llama-a"):
    known = load_noise(noise_file(light.path / "reports", model))
    return {(one.spec_id, one.metric): one for one in known.values()}


def test_every_number_of_every_finding_gets_its_spread_and_what_made_it(light):
    finding(light, MOVES)
    result = calibrate("--vary", "repeat", "--vary", "threads-2", "--vary", "eager")
    found = noise_of(light)
    gain, threads = found["area.attention", "gain"], found["area.threads", "threads"]
    assert (gain.spread, gain.by, gain.variations) == (0.25, "eager", 3)
    assert (gain.value, gain.spec_version, gain.labels, gain.params) == (0.5, 2, {"layer": 3}, "3")
    assert (gain.environment, gain.weights) == (PLACE, "w")
    assert (threads.spread, threads.by) == (1.0, "threads-2")
    assert (found["area.fails", "loss"].spread, found["area.fails", "loss"].by) == (0.0, "")
    assert ("area.attention", "word") not in found
    assert found["area.attention", "still"].spread == 0
    assert "llama-a: 4 values, 2 moved, 2 of them in the digits shown; 1 no larger" in result.stdout
    assert "[4/4] eager: 5 values" in result.stderr
    assert "left" in result.stderr.splitlines()[1]
    path = light.path / "reports" / "noise" / "llama-a.jsonl"
    before = path.read_text()
    assert before.splitlines() == sorted(before.splitlines(), key=in_place)
    calibrate("--vary", "repeat", "--vary", "threads-2", "--vary", "eager")
    assert path.read_text() == before


def in_place(line):
    row = json.loads(line)
    return (row["spec_id"], row["metric"])


def test_a_part_of_the_specs_leaves_the_noise_of_the_others_and_json_is_flat(light):
    finding(light, MOVES)
    path = light.path / "reports" / "noise" / "llama-a.jsonl"
    save_noise(path, [OTHER])
    result = calibrate("--vary", "repeat", "-k", "threads", "--json")
    assert set(noise_of(light)) == {("area.claim", "gain"), ("area.threads", "threads")}
    (row,) = json.loads(result.stdout)
    assert row["spread"] == 0.0
    assert all(isinstance(value, (str, int, float)) for value in row.values())
    calibrate("--vary", "repeat", "--model", "llama-a")
    assert ("area.claim", "gain") not in noise_of(light)


@pytest.mark.parametrize("columns", [40, 80])
def test_the_table_fits_the_terminal(light, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    finding(light, MOVES)
    lines = calibrate("--vary", "eager", "-k", "attention").stdout.splitlines()
    assert max(map(len, lines[:-2])) <= columns
    assert any("0.250  eager" in line for line in lines)


def test_what_cannot_be_calibrated_is_said(light):
    with pytest.raises(RequestError, match="nothing to calibrate"):
        calibrate()
    finding(light, "def broken(")
    with pytest.raises(RequestError, match=r"(?s)no such variation.*batch-4"):
        calibrate("--vary", "batch4")
    with pytest.raises(DataError, match=r"(?s)nothing to read.*SyntaxError.*pytest specs/findings"):
        calibrate("--vary", "repeat")


def test_a_backend_is_calibrated_by_itself_in_the_ways_it_has(light, monkeypatch):
    finding(light, MOVES)
    with pytest.raises(RequestError, match=r"(?s)no such variation on mlx.*repeat, order, batch-4"):
        calibrate("--backend", "mlx", "--vary", "eager")
    monkeypatch.setattr("interp.calibrate.to_install", lambda name: f"pip install it[{name}]")
    with pytest.raises(RequestError, match=r"(?s)mlx backend is not installed.*pip install it"):
        calibrate("--backend", "mlx")
    asked = []
    monkeypatch.setattr("interp.calibrate.to_install", lambda _: "")
    monkeypatch.setattr("interp.calibrate._records", lambda _, what: asked.append(what) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        calibrate("--backend", "mlx")
    assert (asked[0].backend, asked[0].variations) == ("mlx", ("repeat", "order", "batch-4"))


@pytest.mark.usefixtures("light")
def test_a_run_that_cannot_be_started_is_said(tmp_path):
    (tmp_path / "specs" / "findings").mkdir(parents=True)
    asked = Asked(tmp_path, tmp_path / "reports", ("nobody",), "", ())
    with pytest.raises(DataError, match="no model has this name"):
        _run(tmp_path / "run", "plain", asked)


@pytest.mark.slow
def test_a_real_model_is_calibrated_in_every_way(project, pytestconfig, monkeypatch):
    shipped = pytestconfig.rootpath / "fixtures" / "checkpoints" / "llama-world"
    if not shipped.is_dir():
        pytest.skip("fixtures/checkpoints/llama-world is not here")
    project.write("fixtures/models.toml", f'[mine]\npath = "{shipped}"\n')
    project.write("specs/findings/test_it.py", REAL)
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p interp.plugin")
    calibrate()
    found = {metric: one for (_, metric), one in noise_of(project, "mine").items()}
    assert found["right"].variations == 5
    assert 0 < found["size"].spread < 1e-3
    assert found["likeliest"].spread == 0
    assert (found["threads"].spread, found["threads"].by) == (1.0, "threads-2")


REAL = """
import numpy as np
import pytest
import torch

from interp import run

TEXTS = ["The capital of France is", "The capital of Italy is", "Paris", "I", "The state", "A"]

@pytest.mark.finding("real.values")
def test_values(model, measured):
    logits = run(model, TEXTS).next_logits
    measured("right", float((logits.argmax(axis=1) >= 0).mean()))
    measured("likeliest", int(logits.argmax(axis=1).sum()))
    measured("size", float(np.abs(logits.astype(np.float64)).mean()))
    measured("threads", torch.get_num_threads())
"""
