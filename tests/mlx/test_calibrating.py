"""The noise of a value on MLX: measured by rows in another number, kept beside that of torch."""

import pytest
from typer.testing import CliRunner

from interp.cli import app
from interp.reports.noise import Noise, load_noise, noise_file, save_noise

WITHOUT = "the mlx backend is not installed; pip install 'interp-specs[mlx]'"
pytest.importorskip("mlx_lm", reason=WITHOUT)

TORCH = {"backend": "torch", "device": "cpu", "dtype": "float32", "quantization": ""}
ON_TORCH = Noise("real.values", 1, "margin", {}, "", TORCH, "w", 0.01, 0.02, "eager", 5)
REAL = """
import numpy as np
import pytest

from interp import run

TEXTS = ["The capital of France is", "hot -> cold , big", "Paris", "I", "The state", "A"]

@pytest.mark.finding("real.values")
def test_values(model, measured):
    logits = run(model, TEXTS).next_logits
    measured("rows_a_pass", getattr(model.backend, "at_a_time", None) or len(TEXTS))
    measured("margin", float((logits.max(axis=1) - np.median(logits, axis=1)).mean()))
"""


def test_rows_in_another_number_move_last_digits_at_most(twin, tmp_path, monkeypatch):
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures" / "models.toml").write_text(f'[mine]\npath = "{twin("llama")}"\n')
    (tmp_path / "specs" / "findings").mkdir(parents=True)
    (tmp_path / "specs" / "findings" / "test_it.py").write_text(REAL)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    kept = noise_file(tmp_path / "reports", "mine")
    save_noise(kept, [ON_TORCH])
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["calibrate", "--backend", "mlx", "--vary", "batch-1"])
    assert said.exit_code == 0, said.output
    noise = {(one.environment["backend"], one.metric): one for one in load_noise(kept).values()}
    assert noise["torch", "margin"] == ON_TORCH
    assert noise["mlx", "margin"].spread < 1e-5
    rows = noise["mlx", "rows_a_pass"]
    assert (rows.spread, rows.by) == (5.0, "batch-1")
