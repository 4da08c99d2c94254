"""An answer is in the top k where fewer than k tokens are strictly likelier than its best alias.

Every alias counts, by the first token it has after the space that belongs to it: a reader that
takes the first alias alone, or their sum, gives other numbers. The bite: with the likeliest token
for an answer a prompt is resolved at once, and k = 1 is the top itself.

Source: contract of `interp.resolution` and of the readers of answers; HoppingTooLate, aliases.
"""

from dataclasses import replace

import numpy as np
import pytest

from interp import PromptSet, logit_lens
from interp.metrics import rank
from interp.prompts import Prompt
from interp.resolution import Resolution, first_in_top, in_top

pytestmark = [pytest.mark.contract("lens")]
ASKED = {"The capital of France is": "Paris", "The opposite of hot is": "cold", "One": "two"}
FIRST = np.array([[1, 0, 3], [0, 3, 2], [2, 2, 2]])


def prompts(*extra):
    """Three prompts, each with its answer and then the same other aliases."""
    made = (Prompt(text=text, answers=(answer, *extra)) for text, answer in ASKED.items())
    return PromptSet("asked", tuple(made))


@pytest.fixture
def told():
    """Three prompts made by hand, depths 0 to 2; 3 is never."""
    return Resolution(FIRST, ~np.eye(3, dtype=bool), n_depths=3, k=1, d_vocab=10)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_in_the_top_k_is_a_rank_below_k(k):
    logits = np.array([[5.0, 5.0, 1.0, 0.0], [0.0, 2.0, 1.0, 3.0]], np.float32)
    choices = [(0,), (2,), (3, 1), (0, 2)]
    found = in_top(k, choices).of(logits, (), ())
    expected = [[rank(row[None], [one])[0] < k for one in choices] for row in logits]
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_the_first_depth_is_that_of_the_lens(model, share):
    k = int(share * model.backend.info.d_vocab)
    found = first_in_top(model, prompts(), k=k)
    ranks = logit_lens(model, prompts()).ranks
    expected = [next((d for d, r in enumerate(row) if r < k), len(row)) for row in ranks]
    assert found.depth.tolist() == expected
    assert np.array_equal(found.others, ~np.eye(len(expected), dtype=bool))


def test_the_best_alias_is_the_answer(model):
    asked = (prompts(), alone("big"), prompts("big"))
    first, second, both = (logit_lens(model, one) for one in asked)
    assert np.array_equal(both.ranks, np.minimum(first.ranks, second.ranks))
    expected = np.maximum(first.probabilities, second.probabilities)
    assert np.allclose(both.probabilities, expected, rtol=1e-5, atol=0)


def alone(word):
    """The same prompts with one word for an answer."""
    made = (Prompt(text=text, answers=(word,)) for text in ASKED)
    return PromptSet("alone", tuple(made))


def test_an_answer_is_compared_with_the_others_at_its_own_prompt(told):
    assert told.depth.tolist() == [1, 3, 2]
    assert told.resolved.tolist() == [True, False, True]
    assert told.ahead.tolist() == [0.0, -1.0, 0.0]
    assert told.resolved_by_chance.tolist() == [0.5, 1.0, 1.0]
    assert told.relative.tolist() == [0.5, 1.0]


def test_answers_with_a_token_in_common_are_not_others(told):
    kept = np.array([[False, False, True], [True, False, True], [True, True, False]])
    assert replace(told, others=kept).ahead.tolist() == [1.0, -1.0, 0.0]
