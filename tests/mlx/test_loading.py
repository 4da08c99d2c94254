"""What mlx-lm would load wrongly or not at all is refused by name; every layout of files loads."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from interp import generate, load, run
from interp.errors import DataError, NonFiniteError, RequestError

WITHOUT = "the mlx backend is not installed; pip install 'interp-specs[mlx]'"
mx = pytest.importorskip("mlx.core", reason=WITHOUT)

TEXTS = ["The capital of France is", "hot -> cold , big"]
LONG = ["hot -> cold , big -> small , tall -> short , hot -> cold , big -> small"]


def changed(folder, **entries):
    """Change entries of config.json; None takes one out."""
    path = folder / "config.json"
    known = {**json.loads(path.read_text()), **entries}
    path.write_text(json.dumps({k: v for k, v in known.items() if v is not None}))
    return folder


@pytest.fixture
def llama(twin, tmp_path):
    """A copy of the tiny Llama, to be damaged."""
    copy = tmp_path / "llama"
    copy.mkdir()
    for file in twin("llama").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def with_weight(folder, name, change):
    file = folder / "model.safetensors"
    weights = dict(load_file(file))
    made = {**weights, name: change(weights[name])}
    save_file({k: v for k, v in made.items() if v is not None}, file, metadata={"format": "pt"})


def test_a_family_that_mlx_lm_does_not_have(llama, on_mlx):
    with pytest.raises(DataError, match="does not have this model family") as told:
        on_mlx(changed(llama, model_type="nobody"))
    assert "'nobody'" in str(told.value)


def test_an_entry_that_mlx_lm_requires(llama, on_mlx):
    with pytest.raises(DataError, match="lacks what mlx-lm needs") as told:
        on_mlx(changed(llama, rms_norm_eps=None))
    assert "without rms_norm_eps" in str(told.value)


def test_a_family_whose_modules_have_other_names(twin, on_mlx, monkeypatch):
    from mlx_lm.models import llama as family

    monkeypatch.setattr(family.Attention, "__call__", family.Attention.__call__)
    original = family.Attention.__init__

    def renamed(self, args):
        original(self, args)
        self.wo = self.pop("o_proj")

    monkeypatch.setattr(family.Attention, "__init__", renamed)
    with pytest.raises(DataError) as told:
        on_mlx(twin("llama"))
    assert "o_proj" in str(told.value)


def test_a_rope_that_mlx_lm_cannot_scale(twin, on_mlx):
    scaled = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    with pytest.raises(DataError, match="no scaled rope for this family"):
        on_mlx(twin("gemma2", rope_parameters=scaled))


def test_a_rope_that_got_lost_is_noticed(llama, on_mlx, monkeypatch):
    monkeypatch.setattr("interp.backends.mlx_loading.legacy_keys", lambda _: {})
    with pytest.raises(DataError, match="by another angle"):
        on_mlx(changed(llama, rope_theta=None, rope_parameters={"rope_theta": 5e5}))


def test_beyond_a_window_that_mlx_lm_lacks(twin, on_mlx):
    model = on_mlx(twin("gemma2", sliding_window=16))
    assert model.backend.info.max_length == 16
    with pytest.raises(RequestError, match="fits the model"):
        run(model, LONG)
    with pytest.raises(RequestError, match="beyond the model's length"):
        generate(model, TEXTS, max_new_tokens=16)


def test_within_a_window_that_mlx_lm_has(twin, on_mlx):
    folder = twin("gemma3_text", num_hidden_layers=6, sliding_window=4)
    ours, theirs = (run(model, LONG).logits for model in (on_mlx(folder), load(str(folder))))
    assert np.abs(ours - theirs).max() < 2e-3


def test_a_weight_that_is_missing_or_no_number(llama, on_mlx):
    name = "model.layers.0.mlp.up_proj.weight"
    with_weight(llama, name, lambda weight: np.where(weight == weight.max(), np.nan, weight))
    with pytest.raises(NonFiniteError, match="weight is NaN"):
        on_mlx(llama)
    with_weight(llama, name, lambda _: None)
    with pytest.raises(DataError, match="not those of this config"):
        on_mlx(llama)


def test_a_weight_of_another_shape(llama, on_mlx):
    with_weight(llama, "model.norm.weight", lambda weight: weight[:-1])
    with pytest.raises(DataError, match="not those of this config"):
        on_mlx(llama)


def test_a_bfloat16_checkpoint_in_float16(llama, on_mlx):
    with pytest.raises(RequestError, match="does not fit float16"):
        on_mlx(changed(llama, dtype="bfloat16"), dtype="float16")


def test_remote_code_is_never_run(llama, on_mlx):
    (llama / "own.py").write_text("raise SystemExit('remote code ran')")
    with pytest.raises(DataError, match="cannot load this checkpoint"):
        on_mlx(changed(llama, model_file="own.py"))


def test_a_device_that_is_not_here(llama, on_mlx):
    missing = "cuda" if not mx.device_count(mx.gpu) else "tpu"
    with pytest.raises(RequestError, match="does not have this device"):
        on_mlx(llama, device=missing)
    assert on_mlx(llama, device="cpu").backend.info.device == "cpu"


def test_shards_load_as_one(llama, on_mlx):
    whole = run(on_mlx(llama), TEXTS).logits
    weights = load_file(llama / "model.safetensors")
    (llama / "model.safetensors").unlink()
    names, table = sorted(weights), {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        shard = f"model-{number:05}-of-00002.safetensors"
        save_file({k: weights[k] for k in part}, llama / shard, metadata={"format": "mlx"})
        table |= dict.fromkeys(part, shard)
    (llama / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    assert np.array_equal(run(on_mlx(llama), TEXTS).logits, whole)


def test_a_closed_model_says_so(llama, on_mlx):
    model = on_mlx(llama)
    model.close()
    with pytest.raises(RequestError, match="was closed"):
        run(model, TEXTS)
