"""A named position is where the text says, in every row; a name that is nowhere is refused.

The tokens of a span spell it; its bare name is its last token, where a model has read all of it;
"after" begins behind it. A name that matched nothing has been position 0 before: the BOS.

Source: contract of `interp.positions`; Biran et al. 2024, arXiv:2406.12775v2, whose code takes an
unmatched token for position 0 (see BUGFIX.md).
"""

import numpy as np
import pytest

from interp import PromptSet, after, random_direction, resid_post, run, span, steer
from interp.errors import RequestError
from interp.prompts import Prompt

pytestmark = [pytest.mark.contract]
SPANS = {
    "The capital of France is": "capital of France",
    "hot -> cold , big": "hot -> cold",
    "In the state containing Dallas people work": "state containing Dallas",
}


@pytest.fixture
def encoded(model):
    """Spans of several words, in rows of several lengths."""
    prompts = tuple(Prompt(text=text, spans={"e1": words}) for text, words in SPANS.items())
    return model.encode(PromptSet("spans", prompts))


def test_the_tokens_of_a_span_spell_it(model, encoded):
    for ids, inside, words in zip(
        encoded.ids, encoded.mask(span("e1")), SPANS.values(), strict=True
    ):
        spelled = model.backend.tokenizer.decode(np.array(ids)[inside[: len(ids)]].tolist())
        assert spelled.split() == words.split()


def test_a_bare_name_is_the_span_s_last_token_and_after_begins_behind_it(encoded):
    spans, behind, at = encoded.mask(span("e1")), encoded.mask(after("e1")), encoded.indices("e1")
    for row, length in enumerate(encoded.lengths):
        last = int(np.flatnonzero(spans[row]).max())
        assert at[row] == last
        assert np.flatnonzero(behind[row]).tolist() == list(range(last + 1, length))


def test_last_and_all_are_counted_from_a_row_s_own_tokens(encoded):
    assert encoded.indices("last").tolist() == [length - 1 for length in encoded.lengths]
    assert encoded.mask("all").sum(axis=1).tolist() == list(encoded.lengths)
    assert len(set(encoded.lengths)) > 1


def test_a_name_that_matches_nothing_is_refused(model, encoded):
    site = resid_post(model.layer("first"))
    push = steer(site, random_direction(model, site, seed=0), at="e2")
    with pytest.raises(RequestError, match="matches nothing"):
        run(model, encoded.prompts, push)
