"""The memory of a model is given back when it is closed, and a pass holds one site at a time."""

import gc

import pytest

from interp import generate, resid_post, run

WITHOUT = "the mlx backend is not installed; pip install 'interp-specs[mlx]'"
mx = pytest.importorskip("mlx.core", reason=WITHOUT)

TEXTS = ["The capital of France is", "hot -> cold , big"]


@pytest.fixture
def before():
    """What MLX holds when nothing of ours is loaded."""
    gc.collect()
    mx.clear_cache()
    return mx.get_active_memory()


def test_closing_gives_everything_back(before, twin, on_mlx):
    model = on_mlx(twin("llama", hidden_size=128, intermediate_size=512))
    generate(model, TEXTS, max_new_tokens=4)
    held = mx.get_active_memory()
    model.close()
    assert held > before + 100_000
    assert mx.get_active_memory() <= before
    assert mx.get_cache_memory() == 0


def test_captures_do_not_stay_in_mlx(before, twin, on_mlx):
    model = on_mlx(twin("llama", num_hidden_layers=8))
    run(model, TEXTS)
    mx.clear_cache()
    loaded = mx.get_active_memory()
    kept = run(model, TEXTS * 20, capture=[resid_post(layer) for layer in model.layers])
    assert len(kept.captured) == 8
    assert mx.get_active_memory() <= loaded
    assert loaded > before
