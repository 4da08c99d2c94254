"""What edits must obey whatever their numbers are: identity, linearity, idempotence, locality."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from interp import (
    ablate,
    attn_out,
    embed,
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
from interp.backends import arithmetic
from interp.backends.protocol import Write
from interp.sites import Site, resid_mid

TEXTS = ["The capital of France is", "hot -> cold , big", "Paris"]
SITES = [embed(), resid_pre(2), resid_mid(1), resid_post(3), attn_out(1), mlp_out(2)]
finite = st.floats(-8, 8, width=32)
vectors = hnp.arrays(np.float32, 32, elements=finite)
several = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
sites = st.sampled_from(SITES)


@several
@given(site=sites, vector=vectors)
def test_alpha_zero_is_the_identity_at_every_site(llama, site, vector):
    steered = run(llama, TEXTS, steer(site, vector, alpha=0.0), logits_at="all")
    assert np.array_equal(steered.logits, run(llama, TEXTS, logits_at="all").logits, equal_nan=True)


@several
@given(site=sites, vector=vectors, a=st.floats(-2, 2), b=st.floats(-2, 2))
def test_steering_is_additive_at_its_site(llama, site, vector, a, b):
    one = run(llama, TEXTS, steer(site, vector, alpha=a + b), capture=[site])
    two = run(
        llama, TEXTS, steer(site, vector, alpha=a), steer(site, vector, alpha=b), capture=[site]
    )
    assert relative_error(two[site], one[site]) < rounding(llama)


@several
@given(site=sites, vector=vectors.filter(lambda v: np.linalg.norm(v) > 1e-2))
def test_projecting_out_twice_is_projecting_out_once(llama, site, vector):
    gone = project_out(site, vector)
    once = run(llama, TEXTS, gone, capture=[site])
    twice = run(llama, TEXTS, gone, gone, capture=[site])
    assert relative_error(twice[site], once[site]) < rounding(llama)
    assert relative_error(once.logits, run(llama, TEXTS).logits) > rounding(llama)


@several
@given(vector=vectors, row=st.integers(0, 2), at=st.sampled_from(["first", "last", "all"]))
def test_an_edit_stays_in_its_row(llama, vector, row, at):
    plain = run(llama, TEXTS)
    vector = vector + np.float32(1)
    steered = run(llama, TEXTS, steer(resid_post(1), vector, at=at).on_rows(row))
    changed = (steered.logits != plain.logits).any(axis=-1)
    assert not np.delete(changed, row).any()


@several
@given(doses=hnp.arrays(np.float32, 3, elements=st.floats(-3, 3, width=32)))
def test_a_dose_a_row_equals_the_rows_one_by_one(llama, doses):
    vector = np.linspace(-1, 1, 32, dtype=np.float32)
    together = run(llama, TEXTS, steer(resid_post(1), vector, alpha=doses)).logits
    for row, dose in enumerate(doses):
        alone = run(llama, [TEXTS[row]], steer(resid_post(1), vector, alpha=float(dose))).logits
        assert relative_error(together[row : row + 1], alone) < rounding(llama)


@several
@given(order=st.permutations(range(3)))
def test_the_order_of_the_rows_does_not_matter(llama, order):
    texts = [TEXTS[row] for row in order]
    there = run(llama, TEXTS).logits[list(order)]
    assert relative_error(run(llama, texts).logits, there) < rounding(llama)


@pytest.mark.parametrize("site", SITES, ids=str)
def test_putting_a_capture_back_is_the_identity(llama, site):
    plain = run(llama, TEXTS, capture=[site], logits_at="all")
    back = run(llama, TEXTS, patch(site, plain[site], at="all"), logits_at="all")
    assert np.array_equal(back.logits, plain.logits, equal_nan=True)


def test_a_capture_is_the_value_after_the_edits(llama):
    site = resid_post(1)
    plain = run(llama, TEXTS, capture=[site])
    edited = run(llama, TEXTS, steer(site, np.ones(32, np.float32)), capture=[site])
    assert relative_error(edited[site], plain[site] + 1) < rounding(llama)


def test_edits_apply_in_the_order_given(llama):
    site, vector = resid_post(1), np.ones(32, np.float32)
    zero = ablate(site, how="zero", reference=vector[None])
    last = run(llama, TEXTS, steer(site, vector), zero, capture=[site])[site, "last"]
    first = run(llama, TEXTS, zero, steer(site, vector), capture=[site])[site, "last"]
    assert (last == 0).all()
    assert (first == 1).all()


def test_ablation_gives_zero_mean_or_another_row(llama):
    site = resid_post(1)
    values = run(llama, TEXTS, capture=[site])[site, "last"]
    expected = {
        "zero": np.zeros_like(values),
        "mean": np.tile(values.mean(axis=0), (3, 1)),
        "resample": np.roll(values, -1, axis=0),
    }
    for how, value in expected.items():
        edit = ablate(site, how=how, reference=values, at="last")
        after = run(llama, TEXTS, edit, capture=[site])[site, "last"]
        assert relative_error(after, value) < rounding(llama)


def test_one_head_is_edited_and_no_other(llama):
    plain = run(llama, TEXTS, capture=[z(1)])
    value = np.full((1, 8), 3, np.float32)
    edited = run(llama, TEXTS, steer(z(1), value).on_heads(2), capture=[z(1)])
    change = (edited[z(1)] - plain[z(1)])[0, 0]
    assert relative_error(change[2], value[0]) < rounding(llama)
    assert (np.delete(change, 2, axis=0) == 0).all()


def test_projecting_out_one_head_leaves_the_others_exactly(llama):
    direction = np.linspace(1, 2, 8, dtype=np.float32)[None]
    plain = run(llama, TEXTS, capture=[z(1)])
    edited = run(llama, TEXTS, project_out(z(1), direction).on_heads(0), capture=[z(1)])
    left = edited[z(1), "last"][:, 0] @ direction[0]
    assert np.abs(left).max() < 1e-4 < np.abs(plain[z(1), "last"][:, 0] @ direction[0]).max()
    assert np.array_equal(edited[z(1), "last"][:, 1:], plain[z(1), "last"][:, 1:])


def test_a_sweep_is_its_runs_one_by_one(llama):
    edits = [steer(resid_post(layer), np.ones(32, np.float32)) for layer in range(3)]
    variants = [(), *((edit,) for edit in edits), tuple(edits)]
    grid = sweep(llama, TEXTS, variants, read=lambda one: one.logits[:, 7])
    for row, variant in zip(grid.values, variants, strict=True):
        assert relative_error(row, run(llama, TEXTS, *variant).logits[:, 7]) < rounding(llama)
    assert len(grid.frame()) == 5 * 3


def test_a_row_s_position_is_counted_from_its_own_tokens(llama):
    edit = steer(resid_post(1), np.ones(32, np.float32), at="last")
    (line,) = run(llama, TEXTS, edit).ledger
    lengths = run(llama, TEXTS).encoded.lengths
    assert line.positions == tuple((length - 1,) for length in lengths)
    assert line.from_end == ((-1,),) * 3
    assert line.fired == 3
    assert line.delta_norm == pytest.approx(32**0.5)


@several
@given(value=hnp.arrays(np.float32, (2, 3, 4), elements=finite), vector=vectors)
def test_where_the_mask_is_zero_nothing_changes_at_all(value, vector):
    mask = np.zeros((2, 3), np.float32)
    for op in ("add", "replace", "project_out"):
        write = Write(Site("resid_post", 0), op, vector[:4] + 9, np.ones(2), mask, mask[:, 0] > 0)
        assert np.array_equal(arithmetic.apply(value, write, mask, np.asarray), value)
