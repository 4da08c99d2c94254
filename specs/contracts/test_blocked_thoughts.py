"""A thought that nobody attends to says nothing: its content may be anything.

With all thoughts hidden from the answer, or one hidden from all that follows and the others held
fast, another question's vector changes no logit, bit for bit. The bite: where it is seen, it does.

Source: contract of `interp.block_attention` and `interp.thoughts.think`.
"""

import numpy as np
import pytest

from interp import all_thoughts, block_attention, fed, patch, relative_error, rounding, thought
from interp import think as thinking
from interp.errors import RequestError

pytestmark = [pytest.mark.contract("think", "block_attention"), pytest.mark.on("tag:thoughts")]
N = 6


@pytest.fixture(scope="module")
def questions(word_problems):
    """A few questions of several lengths."""
    dev = word_problems.only(split="dev")
    return dev.where(np.arange(len(dev)) < 10)


def think(model, questions, *edits):
    """The logits that begin the answer; the last thought may be blocked where nobody reads it."""
    return thinking(model, questions, *edits, dead_sites=True).next_logits


@pytest.fixture(scope="module")
def own(model, questions):
    """Every thought held at its own value."""
    plain = thinking(model, questions, capture=[fed()])
    return [patch(fed(), plain[fed(), thought(step)], at=thought(step)) for step in range(N)]


def other(edit):
    """The vector of the next row instead."""
    return patch(fed(), np.roll(edit.vector, 1, axis=0), at=edit.at)


def hidden(model, to):
    """Thoughts hidden from the answer, in every block; and from the thoughts after them."""
    layers = range(model.n_layers)
    answer = [block_attention(layer, to=to).during("generated") for layer in layers]
    return answer, [block_attention(layer, at=all_thoughts(), to=to) for layer in layers]


def test_an_answer_that_sees_no_thought_does_not_depend_on_any(model, questions, own):
    unseen, others = hidden(model, all_thoughts())[0], [other(edit) for edit in own]
    kept, changed = (think(model, questions, *edits, *unseen) for edits in (own, others))
    assert np.array_equal(kept, changed)
    assert (think(model, questions, *others) != think(model, questions, *own)).any(axis=1).all()


@pytest.mark.parametrize("step", [0, 2, N - 2])
def test_a_hidden_thought_may_be_anything(model, questions, own, step):
    edits = [*own[:step], other(own[step]), *own[step + 1 :]]
    answer, later = hidden(model, thought(step))
    kept, changed = (think(model, questions, *one, *answer, *later) for one in (own, edits))
    assert np.array_equal(kept, changed)
    assert (think(model, questions, *edits, *answer) != kept).any()


def test_a_batch_equals_its_rows_alone(model, questions):
    answer, later = hidden(model, thought(2))
    unseen = [*answer, *later]
    batch = think(model, questions, *unseen)
    alone = [think(model, [prompt.text], *unseen) for prompt in questions.prompts]
    assert relative_error(batch, np.concatenate(alone)) < rounding(model)
    assert relative_error(think(model, questions), batch) > 100 * rounding(model)


def test_the_last_thought_s_last_attention_is_read_by_nobody(model, questions):
    last = block_attention(model.layer("last"), at=thought(N - 1), to="all")
    assert np.array_equal(think(model, questions, last), think(model, questions))
    with pytest.raises(RequestError, match="nothing reads this site"):
        thinking(model, questions, last)
