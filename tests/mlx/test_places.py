"""Taps reach their own module, in order, and leave nothing behind."""

import numpy as np
import pytest

from interp import ablate, mlp_out, random_direction, resid_post, run, steer

WITHOUT = "the mlx backend is not installed; pip install 'interp-specs[mlx]'"
mx = pytest.importorskip("mlx.core", reason=WITHOUT)
nn = pytest.importorskip("mlx.nn", reason=WITHOUT)
tree_flatten = pytest.importorskip("mlx.utils", reason=WITHOUT).tree_flatten
taps = pytest.importorskip("interp.backends.mlx_places", reason=WITHOUT)
Place, installed = taps.Place, taps.installed

TEXTS = ["The capital of France is", "hot -> cold , big"]


class Doubles(nn.Module):
    """Twice its input, in a tuple, as some families' layers have it."""

    def __call__(self, *, hidden):
        return 2 * hidden, "cache"


def test_taps_of_one_module_meet_the_value_in_the_order_they_are_given():
    module = nn.Identity()
    places = [
        Place(module, lambda x: x + 1, "input"),
        Place(module, lambda x: x * 10, "input"),
        Place(module, lambda x: x + 2, "output"),
        Place(module, lambda x: x * 3, "output"),
    ]
    with installed(places):
        assert module(mx.array(1.0)).item() == ((1 + 1) * 10 + 2) * 3
    assert module(mx.array(1.0)).item() == 1.0
    assert type(module) is nn.Identity


def test_a_module_may_take_a_keyword_and_return_a_tuple():
    module = Doubles()
    with installed([Place(module, lambda x: x + 1, on) for on in ("input", "output")]):
        value, rest = module(hidden=mx.array(1.0))
    assert (value.item(), rest) == (5.0, "cache")


def test_another_module_of_the_class_is_left_alone():
    one, other = nn.Identity(), nn.Identity()
    with installed([Place(one, lambda x: x + 1, "output")]):
        assert other(mx.array(1.0)).item() == 1.0
        assert isinstance(one, nn.Identity)


def test_taps_are_gone_after_an_error():
    module = nn.Identity()

    def refuse(_):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), installed([Place(module, refuse, "input")]):
        module(mx.array(1.0))
    assert type(module) is nn.Identity


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_an_edit_moves_one_model_and_no_other_of_its_family(twin, on_mlx, family):
    edited, other = (on_mlx(twin(family)) for _ in range(2))
    names = [name for name, _ in tree_flatten(edited.backend._hooked.model.parameters())]
    plain = run(other, TEXTS).logits
    push = steer(resid_post(1), random_direction(edited, resid_post(1), seed=0), alpha=5.0)
    assert not np.array_equal(run(edited, TEXTS, push).logits, plain)
    assert np.array_equal(run(other, TEXTS).logits, plain)
    assert np.array_equal(run(edited, TEXTS).logits, plain)
    assert [name for name, _ in tree_flatten(edited.backend._hooked.model.parameters())] == names


def test_only_what_is_asked_for_is_computed(twin, on_mlx):
    model = on_mlx(twin("llama"))
    seen, norm = [], model.backend._hooked.norm
    with installed([Place(norm, lambda x: seen.append(x.shape) or x, "output")]):
        run(model, TEXTS, capture=[mlp_out(0)])
    assert seen[0][:2] == (2, max(run(model, TEXTS).encoded.lengths))
    nothing = ablate(mlp_out(1), how="zero", reference=np.ones((1, model.d_model), np.float32))
    assert np.isfinite(run(model, TEXTS, nothing).logits).all()
