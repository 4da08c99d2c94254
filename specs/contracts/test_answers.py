"""An answer's token is the one that continues its prompt, with the space that belongs to it.

"Paris" at the start of a text and " Paris" within one are different tokens; a metric on the wrong
one compares numbers that no continuation has.

Source: contract of `Model.encode`; lm-evaluation-harness #704 and many others.
"""

import pytest

from interp import PromptSet
from interp.prompts import Prompt

pytestmark = [pytest.mark.contract]
ANSWERS = {"The capital of France is": "Paris", "The opposite of hot is": "cold"}


@pytest.fixture
def encoded(model):
    """Prompts that end in a word, each with an answer and a foil."""
    prompts = (
        Prompt(text=text, answers=(answer,), foils=("big",)) for text, answer in ANSWERS.items()
    )
    return model.encode(PromptSet("answers", tuple(prompts)))


@pytest.mark.parametrize("which", ["answers", "foils"])
def test_an_answer_s_first_token_continues_its_prompt(model, encoded, which):
    decode = model.backend.tokenizer.decode
    for prompt, ids, (token,) in zip(
        encoded.prompts.prompts, encoded.ids, getattr(encoded, which), strict=True
    ):
        added = decode([*ids, token]).removeprefix(decode(ids))
        assert added.startswith(" ")
        assert getattr(prompt, which)[0].startswith(added.strip())
