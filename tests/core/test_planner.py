"""The planner: what a sweep shares gives what its runs give one by one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interp import (
    ablate,
    attn_out,
    embed,
    final_norm,
    generate,
    mlp_out,
    patch,
    project_out,
    relative_error,
    resid_post,
    resid_pre,
    rounding,
    run,
    steer,
    sweep,
    z,
)
from interp.backends.torch_sharing import TorchSharing
from interp.backends.varied import Varied
from interp.errors import DataError, NonFiniteError, RequestError
from interp.ledger import Watch, watching
from interp.models import Model
from interp.prompts import Prompt, PromptSet
from interp.readers import (
    answer_margin,
    answer_probability,
    answer_rank,
    likeliest,
    likeliest_tokens,
    right_answer,
)
from interp.sites import k as key_site
from interp.sites import layer_pairs, resid_mid

FAMILIES = ("llama", "gpt2", "gemma2", "qwen2")
WORDS = ("The", "capital", "of", "France", "is", "hot", "cold", "big", "car", "help")
RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(6, 32)).astype(np.float32)


def logits_of(done):
    return done.logits


def one_by_one(model, prompts, variants):
    return np.stack([run(model, prompts, *variant).logits for variant in variants])


def texts():
    """Ragged batches, each text with a span in it."""
    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=7)
    text = st.tuples(words, words).map(lambda pair: " ".join([*pair[0], "antonym", *pair[1]]))
    return st.lists(text, min_size=1, max_size=4)


def pushed(verb, site, vector, dose, at):
    return verb(site, vector, alpha=dose, at=at)


def head_pushed(layer, head, vector, at):
    return steer(z(layer), vector[:8][None], at=at).on_heads(head)


def replaced(site, vector, at):
    return ablate(site, how="mean", reference=vector[None], at=at)


def edits():
    """Any verb at any site that a wave can reach."""
    makers = [embed, *([lambda s=s, n=n: s(n) for s in STREAM for n in range(4)])]
    places = st.sampled_from(["all", "first", "last", "e1"])
    doses = st.sampled_from([0.0, 0.5, -2.0])
    vectors = st.sampled_from(list(VECTORS))
    sites = st.sampled_from([make() for make in makers])
    verbs = st.sampled_from([steer, project_out])
    numbers = st.integers(0, 3)
    return st.one_of(
        st.tuples(st.just(pushed), verbs, sites, vectors, doses, places),
        st.tuples(st.just(replaced), sites, vectors, places),
        st.tuples(st.just(head_pushed), numbers, numbers, vectors, places),
    )


STREAM = (resid_pre, resid_mid, resid_post, attn_out, mlp_out)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    drawn=texts(),
    recipes=st.lists(st.lists(edits(), max_size=3).map(tuple), min_size=3, max_size=8),
)
def test_a_planned_grid_is_its_runs_one_by_one(tiny, family, drawn, recipes):
    model = tiny(family)
    variants = [tuple(make(*how) for make, *how in recipe) for recipe in recipes]
    prompts = PromptSet("drawn", tuple(Prompt(text=t, spans={"e1": "antonym"}) for t in drawn))
    grid = sweep(model, prompts, variants, read=logits_of)
    assert relative_error(grid.values, one_by_one(model, prompts, variants)) < rounding(model)


TEXTS = ["The capital of France is Paris .", "hot -> cold , big", "How do I steal the car ? I"]


def back_patches(model, texts):
    given = run(model, texts, capture=[resid_post(layer) for layer in model.layers])
    return [
        (patch(resid_pre(early), given[resid_post(late), "last"], at="last"),)
        for early, late in layer_pairs(model.n_layers)
    ]


def planned_set(texts):
    return PromptSet("texts", tuple(Prompt(text=text) for text in texts))


def test_every_family_climbs_to_the_first_rung(any_model):
    grid = sweep(any_model, TEXTS, back_patches(any_model, TEXTS), read=logits_of)
    assert str(grid.rung) == "cone"
    assert grid.work.audited == 3


def test_generation_is_each_generation_by_itself(any_model):
    model = any_model
    value = run(model, TEXTS, capture=[resid_post(3)])[resid_post(3), "last"]
    push = [
        (steer(resid_post(layer), 3 * VECTORS[layer], alpha=alpha).during(phase),)
        for phase in ("all", "generated", "prompt") for layer in range(4) for alpha in (0.0, 2.0)
    ]  # fmt: skip
    both = (patch(resid_pre(1), value, at="last"), steer(z(2), VECTORS[:1, :8]).on_heads(1))
    variants = [(), *push, both]
    grid = sweep(model, TEXTS, variants, read=lambda one: np.array(one.texts), max_new_tokens=6)
    plain = [generate(model, TEXTS, *variant, max_new_tokens=6).texts for variant in variants]
    assert grid.rung.name == "cone"
    assert [tuple(row) for row in grid.values] == plain
    assert len(set(plain)) > 1


def test_rows_end_one_by_one(tiny):
    model = tiny("llama")
    plain = generate(model, TEXTS, max_new_tokens=8)
    ended = {new[2] for new in plain.new_ids}
    ends = planned_ends(model, ended)
    variants = [
        (steer(resid_post(n), 3 * VECTORS[n], alpha=a),) for n in range(4) for a in (0.0, 1.0)
    ]
    try:
        found = sweep(
            model, TEXTS, variants, read=lambda one: [*map(len, one.new_ids)], max_new_tokens=8
        )
        each = [[*map(len, generate(model, TEXTS, *v, max_new_tokens=8).new_ids)] for v in variants]
    finally:
        planned_ends(model, ends)
    assert found.values.tolist() == each
    assert len(set(np.ravel(each).tolist())) > 1


def planned_ends(model, ends):
    """Let other tokens end a row; the tokens that did before."""
    before = model.backend.info.end_ids
    model.backend.info = type(model.backend.info)(
        **{**vars(model.backend.info), "end_ids": frozenset(ends)}
    )
    return before


def test_a_site_that_no_wave_reaches_is_run_plainly(llama):
    variants = [(steer(final_norm(), VECTORS[n], at="last"),) for n in range(4)]
    grid = sweep(llama, TEXTS, variants, read=logits_of)
    assert grid.rung.name == "plain"
    assert np.array_equal(grid.values, one_by_one(llama, TEXTS, variants))


def test_the_ledger_says_what_each_run_s_ledger_says(llama):
    variants = [*back_patches(llama, TEXTS), (steer(resid_post(1), VECTORS[0]),)]
    watch = Watch()
    with watching(watch):
        grid = sweep(llama, TEXTS, variants, read=likeliest)
    for ledger, variant in zip(grid.ledgers, variants, strict=True):
        for ours, theirs in zip(ledger, run(llama, TEXTS, *variant).ledger, strict=True):
            assert (ours.edit, ours.fired, ours.rows) == (theirs.edit, theirs.fired, theirs.rows)
            assert ours.positions == theirs.positions
            assert ours.delta_norm == pytest.approx(theirs.delta_norm, rel=1e-4)
            assert ours.site_norm == pytest.approx(theirs.site_norm, rel=1e-4)
    assert {"run", "patch", "steer", "resid_pre", "resid_post"} <= set(watch.words)
    assert len(watch.entries) == len(variants)


def test_edits_that_cannot_be_applied_raise_as_they_do_in_a_run(llama):
    good = (steer(resid_post(1), VECTORS[0]),)
    with pytest.raises(RequestError, match="decodes nothing"):
        sweep(llama, TEXTS, [good, (good[0].during("generated"),)], read=likeliest)
    with pytest.raises(RequestError, match="matches nothing"):
        sweep(llama, TEXTS, [good, (steer(resid_post(1), VECTORS[0], at="e7"),)], read=likeliest)
    huge = (
        steer(resid_post(1), VECTORS[0], alpha=3e38),
        steer(resid_post(1), VECTORS[1], alpha=3e38),
    )
    with pytest.raises(NonFiniteError):
        sweep(llama, TEXTS, [good, huge, ()], read=likeliest)


def test_no_token_is_chosen_by_what_is_no_number(llama):
    good = steer(resid_post(1), VECTORS[0]).during("generated")
    huge = tuple(steer(resid_post(1), one, alpha=3e38).during("generated") for one in VECTORS)
    with pytest.raises(NonFiniteError):
        sweep(llama, TEXTS, [(good,), huge], read=lambda one: len(one.texts), max_new_tokens=4)


def test_readers_are_what_a_run_says(llama):
    prompts = PromptSet(
        "asked", tuple(Prompt(text=text, answers=("car",), foils=("help",)) for text in TEXTS)
    )
    variants = back_patches(llama, TEXTS)
    readers = (
        answer_margin,
        answer_probability,
        answer_rank,
        likeliest,
        likeliest_tokens(3),
        right_answer,
    )
    for read in readers:
        grid = sweep(llama, prompts, variants, read=read)
        plain = np.stack([read(run(llama, prompts, *variant)) for variant in variants])
        assert grid.values.shape == plain.shape
        np.testing.assert_allclose(grid.values, plain, rtol=1e-3, atol=1e-4)


def test_the_audit_refuses_a_wrong_wave(llama, monkeypatch):
    right = TorchSharing.wave

    def wrong(self, trunk, wave, *, keep=False):
        done = right(self, trunk, wave, keep=keep)
        return type(done)(done.hidden + 0.01, done.moved, done.layer_tokens, done.own)

    monkeypatch.setattr(TorchSharing, "wave", wrong)
    with pytest.raises(DataError, match="differs from the same cell"):
        sweep(llama, TEXTS, back_patches(llama, TEXTS), read=likeliest)


def test_a_backend_that_shares_nothing_runs_plainly(llama):
    varied = Model(llama.spec, Varied(llama.backend, at_a_time=2))
    variants = back_patches(llama, TEXTS)
    grid = sweep(varied, TEXTS, variants, read=logits_of)
    assert str(grid.rung) == "plain: Varied shares nothing"
    whole = sweep(llama, TEXTS, variants, read=logits_of)
    assert relative_error(grid.values, whole.values) < rounding(llama)


def test_two_threads_sweep_two_models_at_once(tiny):
    models = [tiny("llama"), tiny("gemma2")]

    def swept(model):
        return sweep(model, TEXTS, back_patches(model, TEXTS), read=logits_of).values

    alone = [swept(model) for model in models]
    with ThreadPoolExecutor(2) as pool:
        together = [list(pool.map(swept, models)) for _ in range(5)]
    for pair in together:
        assert all(map(np.array_equal, pair, alone))


def test_nothing_stays_behind(llama):
    before = run(llama, TEXTS).logits
    sweep(llama, TEXTS, back_patches(llama, TEXTS), read=likeliest)
    assert np.array_equal(run(llama, TEXTS).logits, before)
    assert (
        llama.backend._model.config._attn_implementation == llama.backend.info.attn_implementation
    )


def test_keys_can_be_written_too(llama):
    value = np.ones((2, 8), np.float32)
    variants = [(steer(key_site(n), value, at="first"),) for n in range(4)]
    grid = sweep(llama, TEXTS, [(), *variants], read=logits_of)
    assert grid.rung.name == "cone"
    assert relative_error(grid.values[1:], one_by_one(llama, TEXTS, variants)) < rounding(llama)


def test_a_frame_has_a_row_a_cell_with_its_coordinates(llama):
    grid = sweep(llama, TEXTS, back_patches(llama, TEXTS), read=likeliest)
    frame = grid.frame()
    assert len(frame) == 30
    assert {"variant", "verb", "site", "layer", "alpha", "at", "prompt", "value"} <= set(frame)
    assert sorted(set(frame["layer"])) == [0, 1, 2, 3]
    assert [len(axis) for axis in grid.axes.values()] == [10, 3]
