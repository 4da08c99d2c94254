"""States that are moved: positions, partners, windows, figures and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp import after, back_patch, span
from interp.charts import to_json
from interp.errors import InconclusiveError, RequestError
from interp.patching import answered_as, pair_map, sampled_until_right
from interp.prompts import Prompt, PromptSet
from interp.stats import evenly
from interp.tracing import (
    Restored,
    Trace,
    corruption,
    roles,
    subject_lengths,
    trace,
    trace_map,
    window_like_the_paper_s,
)

TEXTS = {"In the far north of Norway it is cold": "far north of Norway", "So Oslo is it": "Oslo"}


def prompts(**labels):
    made = (
        Prompt(text=text, answers=(answer,), spans={"e1": words}, group=words, labels=labels)
        for (text, words), answer in zip(TEXTS.items(), ("Paris", "Texas"), strict=True)
    )
    return PromptSet("made", tuple(made))


@pytest.fixture
def long(llama):
    """The prompt whose subject has several tokens."""
    found = prompts().where(np.array([True, False]))
    assert subject_lengths(llama, found).min() > 3
    return found


def test_parts_of_a_span_and_of_what_follows_it_are_single_tokens(llama, long):
    encoded = llama.encode(long)
    inside, behind = (np.flatnonzero(encoded.mask(at)[0]) for at in (span("e1"), after("e1")))
    parts = {part: encoded.indices(span("e1", part))[0] for part in ("first", "middle", "last")}
    assert parts["first"] == inside[0]
    assert parts["middle"] == inside[(len(inside) - 1) // 2]
    assert parts["last"] == inside[-1]
    assert encoded.indices(after("e1", "first"))[0] == behind[0]
    assert encoded.indices(after("e1", "last"))[0] == encoded.lengths[0] - 1
    assert not after("e1", "first").reaches_generated
    assert str(after("e1", "first")) == 'after("e1", "first")'


def test_a_part_that_a_row_has_not_is_refused(llama):
    last = PromptSet("last", (Prompt(text="It is in Oslo", spans={"e1": "Oslo"}),))
    with pytest.raises(RequestError, match="too few tokens"):
        llama.encode(last).mask(after("e1", "first"))
    with pytest.raises(RequestError, match="too few tokens"):
        llama.encode(PromptSet("one", (Prompt(text="I am", spans={"e1": "I"}),))).mask(
            span("e1", "middle")
        )


def test_roles_are_tokens_that_every_prompt_has_once_each(llama, long):
    assert list(roles(llama, long)) == [
        "first subject token",
        "middle subject token",
        "last subject token",
        "first token after it",
        "last token",
    ]
    short = PromptSet("short", (Prompt(text="The is", spans={"e1": "The"}),))
    assert list(roles(llama, short))[-1] == "last token"
    assert "first token after it" not in roles(llama, short)
    assert "middle subject token" not in roles(llama, short)


@given(st.integers(0, 11), st.integers(1, 12))
def test_a_window_has_its_size_but_for_the_ends(layer, size):
    found = [site.layer for site in Restored({}, (), "mlp_out", size).sites(layer, 12)]
    assert layer in found
    assert found == sorted(set(found) & set(range(12)))
    inside = layer - size // 2 >= 0 and layer + (size + 1) // 2 <= 12
    assert (len(found) == size) == inside


def test_the_window_is_the_paper_s_share_of_the_blocks(llama):
    assert window_like_the_paper_s(llama) == max(1, round(llama.n_layers * 10 / 48))


@given(st.integers(1, 300), st.integers(1, 300))
def test_evenly_takes_so_many_at_most_from_end_to_end(n, most):
    taken = evenly(n, most)
    assert taken.sum() == min(n, most)
    assert taken[0]
    assert most == 1 or taken[-1]


def test_partners_are_alike_where_it_is_asked():
    same = PromptSet("both", (*prompts(kind="a").prompts, *prompts(kind="b").prompts))
    partners = same.derange(seed=0, alike=("kind",)).prompts
    assert [one.labels for one in partners] == [one.labels for one in same.prompts]
    with pytest.raises(InconclusiveError, match="no partner"):
        PromptSet("odd", (same.prompts[0], same.prompts[2])).derange(seed=0, alike=("kind",))


def test_an_answer_is_taken_from_another_row_by_row():
    asked = prompts()
    taken = answered_as(asked, PromptSet("turned", asked.prompts[::-1]))
    assert [one.answers for one in taken.prompts] == [one.answers for one in asked.prompts[::-1]]
    assert [one.text for one in taken.prompts] == [one.text for one in asked.prompts]
    with pytest.raises(RequestError, match="another's answer"):
        answered_as(asked, PromptSet("one", asked.prompts[:1]))


def test_pairs_between_blocks_are_those_that_leave_the_embedding_alone(llama):
    found = back_patch(llama, prompts(), donors=prompts(), at="last")
    n = llama.n_layers
    assert len(found.pairs) == n * (n + 1) // 2
    assert len(found.between_blocks.pairs) == n * (n - 1) // 2
    assert (found.between_blocks.by((1, 1)) == found.by((1, 1))).all()
    assert to_json(pair_map("pairs", {"one": found, "other": found.between_blocks}))


def test_samples_are_of_prompts_with_answers_at_a_temperature(llama):
    assert (sampled_until_right(llama, prompts(), seed=0) >= 1).all()
    with pytest.raises(RequestError, match="above zero"):
        sampled_until_right(llama, prompts(), seed=0, temperature=0.0)
    with pytest.raises(RequestError, match="no answers"):
        sampled_until_right(llama, PromptSet("plain", (Prompt(text="The state is"),)), seed=0)


def test_sigma_is_that_of_the_subjects_embeddings(llama, long):
    noise = corruption(llama, long, draws=50, seed=0, times=3.0)
    inside = llama.encode(long).mask(span("e1"))
    assert noise.noise[:, inside].std() == pytest.approx(3 * noise.sigma, rel=0.05)
    assert not noise.noise[:, ~inside].any()


def test_a_trace_is_of_prompts_that_are_answered_under_noise_of_their_own(llama, long):
    states = Restored(roles(llama, long), llama.layers)
    with pytest.raises(RequestError, match="answered clean"):
        trace(llama, long, corruption(llama, long, draws=1, seed=0), states)
    with pytest.raises(RequestError, match="a prompt"):
        trace(llama, long, corruption(llama, prompts(), draws=1, seed=0), states)
    with pytest.raises(RequestError, match="a draw"):
        corruption(llama, long, draws=0, seed=0)


def test_effects_are_differences_of_probabilities_and_the_best_layer_is_chosen():
    restored = np.zeros((1, 3, 2, 2))
    restored[0, 1] = [[0.5, 0.1], [0.7, 0.1]]
    restored[0, 2] = 0.9
    found = Trace(
        np.ones(2), np.full((2, 2), 0.1), restored, Restored({"last": span("e1")}, (0, 2, 4))
    )
    assert found.total.tolist() == [0.9, 0.9]
    first = np.array([True, False])
    assert found.best("last", first, below=4.0) == pytest.approx([0.5, 0.0])
    assert found.best("last", first, below=5.0) == pytest.approx([0.8, 0.8])
    assert trace_map("map", {"": found}).panels[0].cells[0] == pytest.approx((-0.1, 0.25, 0.8))
