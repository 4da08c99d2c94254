"""A thought that nobody attends to says nothing: its content may be anything.

What a thought tells the answer goes through attention, but for the next thought, which is made of
its final state. With all thoughts hidden from the answer, or one hidden from all that follows and
the others held fast, another question's vector in its place changes no logit, bit for bit. The
bite: where it is seen, it does.

Source: contract of `interp.block_attention` and `interp.thoughts.think`.
"""

import numpy as np
import pytest

from interp import (
    all_thoughts,
    block_attention,
    fed,
    patch,
    relative_error,
    rounding,
    think,
    thought,
)
from interp.errors import RequestError

pytestmark = [
    pytest.mark.contract("think", "block_attention"),
    pytest.mark.on("tag:thoughts"),
]
N = 6


@pytest.fixture(scope="module")
def questions(word_problems):
    """A few questions of several lengths."""
    dev = word_problems.only(split="dev")
    return dev.where(np.arange(len(dev)) < 10)


@pytest.fixture(scope="module")
def own(model, questions):
    """Every thought held at its own value."""
    plain = think(model, questions, capture=[fed()])
    return [patch(fed(), plain[fed(), thought(step)], at=thought(step)) for step in range(N)]


def other(edit):
    """The vector of the next row instead."""
    return patch(fed(), np.roll(edit.vector, 1, axis=0), at=edit.at)


def hidden(model, to, *, from_thoughts=False):
    """These thoughts hidden from the answer, in every block, and from thoughts if asked."""
    layers = range(model.n_layers)
    answer = [block_attention(layer, to=to).during("generated") for layer in layers]
    later = [block_attention(layer, at=all_thoughts(), to=to) for layer in layers]
    return [*answer, *later] if from_thoughts else answer


def test_an_answer_that_sees_no_thought_does_not_depend_on_any(model, questions, own):
    others = [other(edit) for edit in own]
    unseen = hidden(model, all_thoughts())
    kept, changed = (
        think(model, questions, *edits, *unseen, said="The").next_logits for edits in (own, others)
    )
    assert np.array_equal(kept, changed)
    assert (think(model, questions, *others).next_logits != changed).any()


@pytest.mark.parametrize("step", [0, 2, N - 2])
def test_a_hidden_thought_may_be_anything(model, questions, own, step):
    edits = [*own[:step], other(own[step]), *own[step + 1 :]]
    unseen = hidden(model, thought(step), from_thoughts=True)
    kept, changed = (
        think(model, questions, *one, *unseen, dead_sites=True).next_logits for one in (own, edits)
    )
    assert np.array_equal(kept, changed)
    seen = think(model, questions, *edits).next_logits
    assert (seen != think(model, questions, *own).next_logits).any(axis=1).all()


def test_a_batch_equals_its_rows_alone(model, questions):
    unseen = hidden(model, thought(2), from_thoughts=True)
    batch = think(model, questions, *unseen, dead_sites=True)
    texts = [prompt.text for prompt in questions.prompts]
    alone = np.concatenate(
        [think(model, [text], *unseen, dead_sites=True).next_logits for text in texts]
    )
    assert relative_error(batch.next_logits, alone) < rounding(model)
    assert relative_error(think(model, questions).next_logits, alone) > 100 * rounding(model)


def test_the_last_thought_s_last_attention_is_read_by_nobody(model, questions):
    last = block_attention(model.layer("last"), at=thought(N - 1), to="all")
    with pytest.raises(RequestError, match="nothing reads this site"):
        think(model, questions, last)
    assert np.array_equal(
        think(model, questions, last, dead_sites=True).next_logits,
        think(model, questions).next_logits,
    )
