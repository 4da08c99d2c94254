"""Thinking in vectors is the canonical recurrence, whatever the batch and whatever is cached.

Read the question and the beginning, feed back the final state so many times, end, answer. Padding
that is attended, positions that count it, or a cache that misses a thought give other numbers here.

Source: contract of `interp.thoughts.think`; the published decoding loop of CODI, whose left-padded
batches give another accuracy at every batch size.
"""

import numpy as np
import pytest

from interp import fed, relative_error, rounding, run, think, thought
from interp.backends.thinking import ThinkRequest
from interp.sites import final_norm

pytestmark = [pytest.mark.contract("think"), pytest.mark.on("tag:thoughts")]
N = 6


@pytest.fixture(scope="module")
def questions(word_problems):
    """A few questions of several lengths."""
    dev = word_problems.only(split="dev")
    return dev.where(np.arange(len(dev)) < 10)


def states(thinking):
    """The final states where the thoughts begin and at each thought: [batch, step, d_model]."""
    steps = ["begin", *map(thought, range(thinking.n_thoughts))]
    return np.stack([thinking[final_norm(), step] for step in steps], axis=1)


def test_a_batch_of_unequal_questions_equals_its_rows_alone(model, questions):
    kept = [fed(), final_norm()]
    batch = think(model, questions, capture=kept)
    alone = [think(model, [prompt.text], capture=kept) for prompt in questions.prompts]
    assert len({len(row) for row in batch.encoded.ids}) > 1
    assert batch.new_ids == tuple(one.new_ids[0] for one in alone)
    assert relative_error(states(batch), np.concatenate(list(map(states, alone)))) < rounding(model)


def test_another_question_has_other_thoughts(model, questions):
    found = states(think(model, questions, capture=[final_norm()]))
    assert relative_error(np.roll(found, 1, axis=0), found) > 100 * rounding(model)


@pytest.mark.parametrize("n_thoughts", [0, 1, N])
def test_a_cache_changes_nothing(model, questions, n_thoughts):
    cached = think(model, questions, n_thoughts=n_thoughts, capture=[final_norm()])
    again = [
        model.backend.rethink(row[:-1], ThinkRequest(n_thoughts)) for row in cached.encoded.ids
    ]
    assert relative_error(states(cached), np.stack([one for one, _ in again])) < rounding(model)
    logits = np.stack([last for _, last in again])
    assert relative_error(cached.next_logits, logits) < rounding(model)


def test_one_thought_fewer_shows(model, questions):
    whole, fewer = (think(model, questions, n_thoughts=n).next_logits for n in (N, N - 1))
    assert relative_error(fewer, whole) > 100 * rounding(model)


def test_without_thoughts_it_is_a_pass_over_tokens(model, questions):
    about = model.backend.info.thoughts
    without = think(model, questions, n_thoughts=0)
    rows = [(*row, about.end) for row in without.encoded.ids]
    logits = model.backend.forward(rows).logits
    assert relative_error(without.next_logits, logits) < rounding(model)
    assert relative_error(run(model, questions).next_logits, logits) > rounding(model)


def test_what_is_fed_comes_from_the_state_before(model, questions):
    plain = think(model, questions, capture=[fed(), final_norm()])
    if not model.backend.info.thoughts.projects:
        assert np.array_equal(plain[fed(), thought(1)], plain[final_norm(), thought(0)])
    assert relative_error(plain[fed(), thought(1)], plain[fed(), thought(0)]) > rounding(model)
