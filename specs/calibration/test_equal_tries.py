"""The null has the tries of what it is compared with: the same pairs, for donors of any kind.

"Some back-patch rescues it" is the best of all pairs; against a null of one pair it is significant
by luck alone (see `test_choice_of_the_best.py`).

Source:  Biran et al. 2024, arXiv:2406.12775v2, reports the best of all pairs.
"""

import pytest

from interp import back_patch
from interp.sites import layer_pairs

pytestmark = [pytest.mark.calibration]


@pytest.fixture
def prompts(two_hop):
    """A few two-hop prompts; their answers play no part."""
    return two_hop.only(split="dev", kind="state")


def test_own_donors_and_strangers_get_the_same_pairs(model, prompts):
    own, null = (
        back_patch(model, prompts, donors=donors, at="e1")
        for donors in (prompts, prompts.derange(seed=0))
    )
    assert own.pairs == null.pairs == tuple(layer_pairs(model.n_layers))
    assert own.correct.shape == null.correct.shape == (len(own.pairs), len(prompts))
