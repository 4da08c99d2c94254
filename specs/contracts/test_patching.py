"""A prompt's own value put back changes nothing; another prompt's value changes what is said.

Patching the whole residual stream of one position is the identity with the run's own value, bit
for bit, at every layer. With another prompt's value the position's logits become that prompt's at
the last layer: the value arrives, at the row and the position that were named.

Source: contract of `interp.patch`.
"""

import numpy as np
import pytest

from interp import max_abs_diff, patch, relative_error, resid_post, rounding, run

pytestmark = [pytest.mark.contract("patch")]


def test_a_prompt_s_own_value_is_the_identity(model, mixed_lengths):
    sites = [resid_post(layer) for layer in model.layers]
    plain = run(model, mixed_lengths, capture=sites)
    for site in sites:
        same = run(model, mixed_lengths, patch(site, plain[site, "e1"], at="e1"))
        assert max_abs_diff(same, plain) == 0.0


def test_another_prompt_s_value_arrives_in_the_row_it_is_given_to(model, mixed_lengths):
    site = resid_post(model.layer("last"))
    plain = run(model, mixed_lengths, capture=[site])
    others = np.roll(plain[site, "last"], 1, axis=0)
    given = run(model, mixed_lengths, patch(site, others, at="last"))
    assert relative_error(given.next_logits, np.roll(plain.next_logits, 1, axis=0)) < rounding(
        model
    )


def test_a_patch_on_one_row_leaves_the_others(model, mixed_lengths):
    site = resid_post(model.layer("middle"))
    plain = run(model, mixed_lengths, capture=[site])
    others = np.roll(plain[site, "last"], 1, axis=0)
    given = run(model, mixed_lengths, patch(site, others, at="last").on_rows(2))
    changed = (given.logits != plain.logits).any(axis=-1)
    assert changed.tolist() == [row == 2 for row in range(len(mixed_lengths))]
