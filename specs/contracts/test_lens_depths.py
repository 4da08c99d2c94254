"""Each depth of the lens is the stream of that depth, and an answer on top has rank 0.

The last entry of an engine's hidden states is after the final norm: a lens that reads it there
takes the norm twice, at the one depth where everybody checks it.

Source: contract of `interp.logit_lens`; transformers #43862.
"""

import numpy as np
import pytest

from interp import PromptSet, embed, logit_lens, resid_post, rounding, run
from interp.metrics import probability, rank, top1
from interp.prompts import Prompt

pytestmark = [pytest.mark.contract("lens")]
ANSWERS = {
    "The capital of France is": "Paris",
    "The capital of Japan is": "Tokyo",
    "The opposite of hot is": "cold",
}


@pytest.fixture
def prompts():
    """Questions with one answer each, right or not."""
    texts = tuple(Prompt(text=text, answers=(answer,)) for text, answer in ANSWERS.items())
    return PromptSet("answers", texts)


def test_every_depth_reads_out_its_own_stream(model, prompts):
    lens = logit_lens(model, prompts)
    sites = [embed(), *(resid_post(layer) for layer in model.layers)]
    plain = run(model, prompts, capture=sites)
    readouts = [model.backend.unembed(plain[site, "last"]) for site in sites]
    answers = plain.encoded.answers
    assert np.array_equal(lens.likeliest.T, [logits.argmax(axis=-1) for logits in readouts])
    assert np.array_equal(lens.top1.T, [top1(logits, answers) for logits in readouts])
    expected = np.array([probability(logits, answers) for logits in readouts])
    assert np.allclose(lens.probabilities.T, expected, rtol=10 * rounding(model), atol=0)


@pytest.mark.parametrize(
    ("row", "answers", "expected"),
    [
        ([1.0, 3.0, 2.0], (1,), 0),
        ([1.0, 3.0, 2.0], (0,), 2),
        ([1.0, 3.0, 2.0], (0, 2), 1),
        ([5.0, 5.0, 0.0], (0,), 0),
    ],
)
def test_a_rank_counts_what_is_strictly_likelier_than_the_best_answer(row, answers, expected):
    assert rank(np.array([row], np.float32), [answers]).tolist() == [expected]


def test_only_a_prompt_s_own_answer_is_right():
    logits = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], np.float32)
    assert top1(logits, [(0,), (1,)]).tolist() == [False, False]
    assert top1(logits, [(1, 2), (0,)]).tolist() == [True, True]
