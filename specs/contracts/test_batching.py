"""A prompt's numbers do not depend on the batch it is in.

Rows of different lengths share a batch by padding; what a row gets must be what it gets alone, up
to the rounding of another kernel shape. The bite: with one token changed, it is not.

Source: contract of `interp.run`; left padding without position ids is silently wrong for models
with learned positions.
"""

import numpy as np
import pytest

from interp import relative_error, resid_post, rounding, run

pytestmark = [pytest.mark.contract("run")]


def alone(model, prompts, site):
    """Each prompt run by itself: its next-token logits and the site at its last position."""
    runs = [run(model, [prompt.text], capture=[site]) for prompt in prompts.prompts]
    logits = np.concatenate([one.next_logits for one in runs])
    return logits, np.concatenate([one[site, "last"] for one in runs])


def test_a_padded_batch_equals_its_rows_alone(model, mixed_lengths):
    site = resid_post(model.layer("last"))
    batch = run(model, mixed_lengths, capture=[site])
    logits, values = alone(model, mixed_lengths, site)
    assert relative_error(batch.next_logits, logits) < rounding(model)
    assert relative_error(batch[site, "last"], values) < rounding(model)


def test_another_order_gives_the_same_rows(model, mixed_lengths):
    there = run(model, mixed_lengths).next_logits
    back = run(model, [prompt.text for prompt in reversed(mixed_lengths.prompts)]).next_logits
    assert relative_error(back[::-1], there) < rounding(model)


def test_one_changed_token_shows(model, mixed_lengths):
    texts = [prompt.text for prompt in mixed_lengths.prompts]
    changed = [text.replace(" ", " not ", 1) + " not" for text in texts]
    changed_logits = run(model, changed).next_logits
    assert relative_error(changed_logits, run(model, texts).next_logits) > 2 * rounding(model)
