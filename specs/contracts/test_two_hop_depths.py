"""Where bridge and answer come up is where their rank in the lens is, and strangers are strangers.

Source: contract of `interp.two_hop_depths`.
"""

import numpy as np
import pytest

from interp import logit_lens
from interp.two_hop import spelled
from interp.two_hop_depths import hop_depths
from interp.two_hop_tables import balanced

pytestmark = [pytest.mark.contract("lens")]


@pytest.fixture
def few(hops):
    """A few questions of each kind; whether they are answered plays no part."""
    return balanced(hops, most=8)


@pytest.mark.parametrize("k", [1, 30])
def test_an_answer_comes_up_at_the_first_depth_at_which_its_rank_is_below_k(model, few, k):
    found = hop_depths(model, few, k=k, draws=2)
    below = logit_lens(model, spelled(model, few)).ranks < k
    first = np.where(below.any(axis=1), below.argmax(axis=1), model.n_layers + 1)
    assert np.array_equal(found.of("answer", "last"), first)


def test_with_the_whole_vocabulary_all_come_up_at_once(model, few):
    found = hop_depths(model, few, k=model.backend.info.d_vocab, draws=2)
    assert not found.of("bridge", "e1").any()
    assert not found.sequential("e1").any()


def test_strangers_have_another_bridge_and_none_of_the_answers(model, few):
    prompts = few.prompts
    for draw in hop_depths(model, few, k=1, draws=20).strangers:
        for own, partner in zip(prompts, draw, strict=True):
            assert own.group != prompts[partner].group
            assert not {*own.answers} & {*prompts[partner].answers}
