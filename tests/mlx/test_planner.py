"""The planner on MLX: what a sweep shares gives what its runs give, and takes what it should."""

import gc
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from interp import (
    attn_out,
    generate,
    load,
    mlp_out,
    patch,
    relative_error,
    resid_post,
    resid_pre,
    rounding,
    run,
    steer,
    sweep,
    z,
)
from interp.errors import DataError, RequestError
from interp.grids import Work
from interp.readers import likeliest
from interp.sites import k as key_site
from interp.sites import layer_pairs, resid_mid

WITHOUT = "the mlx backend is not installed; pip install 'interp-specs[mlx]'"
mx = pytest.importorskip("mlx.core", reason=WITHOUT)
convert = pytest.importorskip("mlx_lm", reason=WITHOUT).convert
sharing = pytest.importorskip("interp.backends.mlx_sharing", reason=WITHOUT)
growing = pytest.importorskip("interp.backends.mlx_growing", reason=WITHOUT)

SHIPPED = "fixtures/checkpoints/llama-world"
TEXTS = ["The capital of France is Paris .", "hot -> cold , big", "How do I steal the car ? I"]
VECTORS = 3 * np.random.default_rng(0).normal(size=(6, 32)).astype(np.float32)
SHORT = ["sliding_attention", "sliding_attention", "full_attention"] * 2
FAMILIES = {
    "llama": {},
    "mistral": {},
    "qwen2": {},
    "qwen3": {},
    "gemma2": {},
    "gemma3_text": {"num_hidden_layers": 6, "layer_types": SHORT, "sliding_window": 4},
    "gpt2": {},
    "gpt_neox": {"intermediate_size": 128},
}


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, twin):
    """The twin of each family, with what is particular to its attention."""
    with closing_after(twin(request.param, **FAMILIES[request.param])) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def llama(twin):
    """The tiny Llama."""
    with closing_after(twin("llama")) as loaded:
        yield loaded


@contextmanager
def closing_after(folder):
    loaded = load(str(folder), backend="mlx")
    yield loaded
    loaded.close()


def logits_of(done):
    return done.logits


def one_by_one(model, variants):
    return np.stack([run(model, TEXTS, *variant).logits for variant in variants])


def back_patches(model):
    given = run(model, TEXTS, capture=[resid_post(layer) for layer in model.layers])
    return [
        (patch(resid_pre(early), given[resid_post(late), "last"], at="last"),)
        for early, late in layer_pairs(model.n_layers)
    ]


def edited(model):
    """Every kind of site, at one position in the middle, the last, all of them, and together."""
    given = run(model, TEXTS, capture=[z(1), resid_pre(2)])
    other = np.nan_to_num(np.roll(given[z(1)], 1, axis=0))
    sites = (resid_pre, resid_post, attn_out, mlp_out, resid_mid, key_site)
    sites = [site(1) for site in sites if site(1).name not in model.backend.info.refused]
    pushes = [
        (steer(site, value, alpha=0.5, at=at),)
        for site in sites
        for at in ("all", "first", "last")
        for value in [VECTORS[1] if site.name != "k" else VECTORS[:2, :8]]
    ]
    whole = patch(resid_pre(2), np.nan_to_num(given[resid_pre(2)])[::-1], at="all")
    return [
        (), *pushes, (whole,), (patch(z(1), other, at="all"), steer(resid_post(3), VECTORS[0])),
        (steer(z(2), VECTORS[:1, :8]).on_heads(1), steer(resid_post(2), VECTORS[2], at="last")),
        *back_patches(model),
    ]  # fmt: skip


def test_a_planned_grid_is_its_runs_one_by_one(model):
    variants = edited(model)
    grid = sweep(model, TEXTS, variants, read=logits_of)
    plain = one_by_one(model, variants)
    assert str(grid.rung) == "cone"
    assert grid.work.layer_tokens < grid.work.one_by_one
    assert relative_error(grid.values, plain) < rounding(model)
    assert (np.abs(plain[1:] - plain[0]).max(axis=(1, 2)) > 0).all()


def test_generation_is_each_generation_by_itself(model):
    push = [
        (steer(resid_post(layer), VECTORS[layer], alpha=alpha).during(phase),)
        for phase in ("all", "generated", "prompt") for layer in (0, 2) for alpha in (0.0, 1.0)
    ]  # fmt: skip
    both = (back_patches(model)[1][0], steer(z(2), VECTORS[:1, :8]).on_heads(1))
    variants = [(), *push, both]
    grid = sweep(model, TEXTS, variants, read=lambda one: np.array(one.texts), max_new_tokens=5)
    plain = [generate(model, TEXTS, *variant, max_new_tokens=5).texts for variant in variants]
    assert str(grid.rung) == "cone"
    assert [tuple(row) for row in grid.values] == plain
    assert len(set(plain)) > 1


@pytest.fixture(scope="module")
def shipped(pytestconfig):
    """The trained model that comes with the project."""
    with closing_after(pytestconfig.rootpath / SHIPPED) as loaded:
        yield loaded


def test_back_patching_takes_what_the_closed_form_says(shipped):
    layers, tokens = shipped.n_layers, sum(run(shipped, TEXTS).encoded.lengths)
    grid = sweep(shipped, TEXTS, back_patches(shipped), read=likeliest)
    cones = len(TEXTS) * layers * (layers + 1) * (2 * layers + 1) // 6
    pairs = layers * (layers + 1) // 2
    assert str(grid.rung) == "cone"
    assert grid.work.layer_tokens == tokens * layers + cones
    assert grid.work.one_by_one == tokens * layers * pairs
    assert grid.work.audited == 3


def test_heads_and_doses_take_what_the_closed_forms_say(llama):
    tokens = sum(run(llama, TEXTS).encoded.lengths)
    value = np.ones((1, 8), np.float32)
    heads = [
        (steer(z(layer), value, at="last").on_heads(h),) for layer in range(4) for h in range(4)
    ]
    doses = [
        (steer(resid_post(layer), VECTORS[0], alpha=a),) for layer in range(3) for a in (0.0, 1, 2)
    ]
    by_head = sweep(llama, TEXTS, heads, read=likeliest).work
    by_dose = sweep(llama, TEXTS, [(), (), *doses], read=likeliest).work
    assert by_head.layer_tokens == tokens * 4 + 3 * 4 * (4 + 3 + 2 + 1)
    assert by_dose.layer_tokens == tokens * (4 + 2 * (3 + 2 + 1))


def test_rows_end_one_by_one_and_take_no_more_after_it(llama, monkeypatch):
    plain = generate(llama, TEXTS, max_new_tokens=8)
    ends = frozenset(new[2] for new in plain.new_ids)
    monkeypatch.setattr(llama.backend, "info", replace(llama.backend.info, end_ids=ends))
    variants = [(steer(resid_post(n), VECTORS[n], alpha=a),) for n in range(4) for a in (0.0, 0.5)]
    found = sweep(
        llama, TEXTS, variants, read=lambda one: [*map(len, one.new_ids)], max_new_tokens=8
    )
    each = [[*map(len, generate(llama, TEXTS, *v, max_new_tokens=8).new_ids)] for v in variants]
    assert found.values.tolist() == each
    assert len(set(np.ravel(each).tolist())) > 1
    fed = (np.array(each)[[0, 1, 3, 5, 7]] - 1).sum()  # those without a dose are one row a prompt
    read = sum(plain.encoded.lengths) * (4 + 3 + 2 + 1)  # layers above each push, and all once
    assert found.work.layer_tokens == read + 4 * fed


def test_decoding_does_not_go_on_where_mlx_lm_has_no_window(twin, on_mlx):
    model = on_mlx(twin("gemma2", sliding_window=16))
    variants = [(steer(resid_post(n), VECTORS[n]).during("generated"),) for n in range(4)]
    grid = sweep(model, TEXTS[1:2], variants, read=lambda one: one.new_ids, max_new_tokens=2)
    assert str(grid.rung) == "cone"
    with pytest.raises(RequestError, match="beyond the model's length"):
        sweep(model, TEXTS[1:2], variants, read=lambda one: one.new_ids, max_new_tokens=16)


@pytest.mark.parametrize("bits", [4, 8])
def test_packed_weights_share_too(twin, on_mlx, tmp_path, bits):
    wide = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 16}
    convert(
        str(twin("llama", **wide)), str(tmp_path / "p"), quantize=True, q_bits=bits, q_group_size=32
    )
    model = on_mlx(tmp_path / "p")
    variants = [(), *back_patches(model), (steer(resid_post(1), np.ones(64, np.float32)),)]
    grid = sweep(model, TEXTS, variants, read=logits_of)
    assert str(grid.rung) == "cone"
    assert relative_error(grid.values, one_by_one(model, variants)) < rounding(model)


def test_the_audit_refuses_a_wrong_wave(llama, monkeypatch):
    sweep(llama, TEXTS, back_patches(llama), read=likeliest)
    right = sharing.MlxSharing.wave

    def wrong(self, trunk, wave, *, keep=False):
        done = right(self, trunk, wave, keep=keep)
        return type(done)(done.hidden + 0.01, done.moved, done.layer_tokens, done.own)

    monkeypatch.setattr(sharing.MlxSharing, "wave", wrong)
    with pytest.raises(DataError, match="differs from the same cell"):
        sweep(llama, TEXTS, back_patches(llama), read=likeliest)


def test_the_audit_refuses_a_wrong_token(llama, monkeypatch):
    variants = [(steer(resid_post(n), VECTORS[n]).during("generated"),) for n in range(4)]
    right = growing.Growth._feed
    monkeypatch.setattr(growing.Growth, "_feed", lambda self, ids, step: right(self, ids * 0, step))
    with pytest.raises(DataError, match="differs from the same cell"):
        sweep(llama, TEXTS, variants, read=lambda one: np.array(one.texts), max_new_tokens=4)


def test_a_model_that_shares_wrongly_or_not_at_all_takes_the_next_rung_and_says_why(
    twin, on_mlx, monkeypatch
):
    right = sharing.Walk._called
    shorter = lambda self, hidden, some, length: right(self, hidden, some, length - 1)  # noqa: E731
    models = [on_mlx(twin("llama")) for _ in range(2)]
    with monkeypatch.context() as patched:
        patched.setattr(sharing.Walk, "_called", shorter)
        one = sweep(models[0], TEXTS, back_patches(models[0]), read=logits_of)
    monkeypatch.setattr(sharing, "SHARED", ())
    other = sweep(models[1], TEXTS, back_patches(models[1]), read=logits_of)
    assert "plain: a planned cell differs" in str(one.rung)
    assert str(other.rung) == "plain: KVCache keeps more than keys and values"
    assert np.array_equal(one.values, one_by_one(models[0], back_patches(models[0])))
    took = other.work.one_by_one
    assert other.work == Work(took, took, other.work.head_rows)


def test_what_does_not_fit_is_halved_and_nothing_is_computed_twice(llama, monkeypatch):
    variants, right, sizes = back_patches(llama), sharing.MlxSharing.wave, []
    whole = sweep(llama, TEXTS, variants, read=logits_of)

    def small(self, trunk, wave, *, keep=False):
        if len(wave.prompt) > 7:
            raise MemoryError
        sizes.append(len(wave.prompt))
        return right(self, trunk, wave, keep=keep)

    monkeypatch.setattr(sharing.MlxSharing, "wave", small)
    parts = sweep(llama, TEXTS, variants, read=logits_of)
    assert relative_error(parts.values, whole.values) < rounding(llama)
    assert parts.work.layer_tokens == whole.work.layer_tokens
    assert sum(sizes) == 30


def test_what_the_device_cannot_hold_is_a_memory_error(llama, monkeypatch):
    def full(*_):
        raise RuntimeError("[malloc] Unable to allocate 12 bytes.")

    sweep(llama, TEXTS, back_patches(llama), read=likeliest)
    monkeypatch.setattr(sharing.MlxSharing, "_keep", full)
    with pytest.raises(RequestError, match="does not fit into memory"):
        sweep(llama, TEXTS, back_patches(llama), read=likeliest)


@pytest.fixture
def without_collecting():
    """What is no longer needed must go by itself: nobody collects garbage."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collecting")
def test_nothing_stays_behind(llama):
    before = run(llama, TEXTS).logits
    held = mx.get_active_memory()
    variants = [(steer(resid_post(n), VECTORS[n], alpha=a),) for n in range(4) for a in (0.5, 1.0)]
    for _ in range(2):
        sweep(llama, TEXTS, variants, read=likeliest)
        sweep(llama, TEXTS, variants, read=lambda one: np.array(one.texts), max_new_tokens=4)
        assert mx.get_active_memory() <= held
    assert np.array_equal(run(llama, TEXTS).logits, before)
