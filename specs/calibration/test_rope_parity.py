"""A rope that is not the default turns by the same angles on both engines.

transformers 5 writes `rope_parameters`, which most families of mlx-lm do not read: they fall back
to a theta of 10,000 and answer something else, without a word. The bite: so does the model itself
with that theta.

Source: mlx-lm #953; vllm #28542; sglang #14745.
"""

import json

import pytest

from interp import load, relative_error, run
from interp.backends.installed import to_install
from interp.backends.torch_twins import write_twin

pytestmark = [pytest.mark.calibration]
TEXTS = ["The capital of France is Paris", "hot -> cold , big -> small"]
THETA = {"rope_type": "default", "rope_theta": 20.0}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5e5,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


@pytest.mark.parametrize("rope", [THETA, LLAMA3], ids=["theta", "llama3"])
def test_a_rope_is_the_same_on_both_engines(tmp_path, rope):
    if command := to_install("mlx"):
        pytest.skip(f"the mlx backend is not installed; {command}")
    folder = write_twin("llama", tmp_path / "llama", {"rope_parameters": rope})
    ours, theirs = (run(load(str(folder), backend=one), TEXTS).logits for one in ("mlx", "torch"))
    assert relative_error(ours, theirs) < 2e-5
    known = json.loads((folder / "config.json").read_text())
    lost = {**known, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}
    (folder / "config.json").write_text(json.dumps(lost))
    assert relative_error(run(load(str(folder)), TEXTS).logits, theirs) > 1e-3
