"""Rows in another order or a few at a time: the same results, within rounding, row by row."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interp import (
    attn_out,
    generate,
    patch,
    project_out,
    relative_error,
    resid_post,
    rounding,
    run,
    steer,
    z,
)
from interp.backends.varied import Varied
from interp.errors import RequestError
from interp.models import load
from interp.registry import ModelSpec
from interp.sites import head_out, pattern

WORDS = ("The", "capital", "of", "France", "is", "Paris", ",", "hot", "->", "cold", "I", "cannot")
VECTOR = np.linspace(-1, 1, 32, dtype=np.float32)
WAYS = [
    {"backwards": True},
    {"at_a_time": 1},
    {"at_a_time": 4},
    {"backwards": True, "at_a_time": 3},
]
PROMPTS = ["Paris", "hot -> cold , big", "The capital", "I", "cold", "of France is"]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(" ".join)
texts = st.lists(sentences, min_size=1, max_size=9)
several = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=WAYS, ids="-".join)
def way(request):
    return request.param


@pytest.fixture
def other(llama, way):
    """The tiny Llama, varied."""
    return varied(llama, way)


def varied(model, way):
    return replace(model, backend=Varied(model.backend, **way))


def edits_for(model, prompts):
    """Values of every shape: one vector, one a row, one a token; one dose, and one a row."""
    donor = run(model, prompts, capture=[resid_post(2), z(3)])
    doses = np.linspace(-1, 1, len(prompts), dtype=np.float32)
    return [
        steer(resid_post(1), VECTOR, alpha=doses, at="last"),
        patch(resid_post(0), donor[resid_post(2), "last"], at="last"),
        patch(resid_post(2), donor[resid_post(2)], at="all"),
        project_out(attn_out(2), VECTOR),
        patch(z(3), donor[z(3), "last"], at="last"),
    ]


@several
@given(prompts=texts)
def test_a_run_is_the_same_and_its_ledger_counts_the_same(way, llama, prompts):
    other = varied(llama, way)
    edits = edits_for(llama, prompts)
    sites = [resid_post(3), z(1), head_out(2)]
    asked = {"capture": sites, "logits_at": "all"}
    theirs, ours = run(llama, prompts, *edits, **asked), run(other, prompts, *edits, **asked)
    for site in sites:
        assert relative_error(ours[site], theirs[site]) < rounding(llama)
    assert relative_error(ours.logits, theirs.logits) < rounding(llama)
    assert [counts(one) for one in ours.ledger] == [counts(one) for one in theirs.ledger]


def counts(entry):
    """What a ledger's line counts: all but its norms, which are medians."""
    return (entry.edit, entry.rows, entry.positions, entry.fired, entry.alpha)


def test_a_pattern_ends_where_the_longest_row_does(folder_of, way):
    spec = ModelSpec("eager", str(folder_of("llama")), True, attn_implementation="eager")
    model = load(spec)
    theirs, ours = (
        run(one, PROMPTS, capture=[pattern(1)])[pattern(1)] for one in (model, varied(model, way))
    )
    assert relative_error(ours, theirs) < rounding(model)


def test_each_row_keeps_its_place(other, llama):
    theirs, ours = run(llama, PROMPTS).logits, run(other, PROMPTS).logits
    apart = np.abs(ours[:, None] - theirs[None]).max(axis=-1)
    assert (apart.argmin(axis=1) == np.arange(len(PROMPTS))).all()
    assert apart[~np.eye(len(PROMPTS), dtype=bool)].min() > 100 * apart.diagonal().max()


def test_decoding_gives_each_row_its_own_tokens_and_the_ledger_what_fired(other, llama):
    push = steer(resid_post(1), VECTOR, alpha=np.arange(6, dtype=np.float32))
    theirs, ours = (generate(one, PROMPTS, push, max_new_tokens=5) for one in (llama, other))
    assert ours.new_ids == theirs.new_ids
    assert len(set(ours.new_ids)) > 1
    assert ours.ledger[0].rows == theirs.ledger[0].rows


def test_vectors_are_unembedded_in_their_order(other, llama):
    hidden = np.random.default_rng(0).normal(size=(7, 32)).astype(np.float32)
    ours, theirs = other.backend.unembed(hidden), llama.backend.unembed(hidden)
    assert relative_error(ours, theirs) < rounding(llama)


def test_the_model_sees_its_rows_backwards_and_a_few_at_a_time(llama):
    seen = []

    class Seen(Varied):
        def forward(self, ids, writes=(), **asked):
            seen.append([len(row) for row in ids])
            return super().forward(ids, writes, **asked)

    ids = [[5] * length for length in (1, 2, 3, 4, 5)]
    Varied(Seen(llama.backend), backwards=True, at_a_time=2).forward(ids)
    assert seen == [[5, 4], [3, 2], [1]]


def test_an_empty_batch_is_refused_as_ever(other):
    with pytest.raises(RequestError, match="has a token"):
        other.backend.forward([])


def test_it_is_made_around_a_loaded_model(tmp_path):
    with pytest.raises(RequestError, match="loaded"):
        Varied.load(tmp_path, dtype="float32", device=None, attn_implementation=None)
