"""A back-patch that rescues failures answers more than it loses, given to every prompt.

What helps where the model fails may break what it gets right. The pair of layers that rescues most
failures of half of the bridges is given to all prompts of the other half whose hops are known, the
failures and those answered correctly: more must be right with it than without.

Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2, which reports the best of all
         pairs for correct answers too.
Differs: one pair, chosen on failures; what it loses is counted; another prompt's state, with a
         pair of its own, says how much any state breaks. Next token instead of ten generated ones.
"""

import numpy as np
import pytest

from interp import back_patch, patch, resid_post, resid_pre, run
from interp.patching import states_at
from interp.stats import halves, mcnemar, proportion

SOURCE = "arXiv:2406.12775v2"


@pytest.fixture(scope="module")
def known(model, two_hop):
    """Prompts whose hops the model gets right one at a time."""
    prompts = two_hop.only(split="test")
    return prompts.where(
        run(model, prompts.first_hop).correct & run(model, prompts.second_hop).correct
    )


def answered(model, known, donors, at, failures):
    """Which prompts are right with the pair that rescues most of the failures."""
    found = back_patch(model, known.where(failures), donors=donors.where(failures), at=at)
    early, late = found.best(np.ones(failures.sum(), dtype=bool))
    given = states_at(model, donors, at)[resid_post(late)]
    return run(model, known, patch(resid_pre(early), given, at=at)).correct


@pytest.mark.finding("back-patching.everywhere", version=1, source=SOURCE)
@pytest.mark.parametrize("position", ["e1", "last"])
def test_the_pair_answers_more_than_it_loses(model, known, position, measured):
    plain, (chosen, tested) = run(model, known).correct, halves(known.groups, seed=0)
    known.where(chosen & ~plain, at_least=30)
    for name, donors in (("another", known.derange(seed=0)), ("own", known)):
        patched = answered(model, known, donors, position, chosen & ~plain)
        measured("rescued", proportion(patched[tested & ~plain]), donor=name)
        measured("lost", proportion(~patched[tested & plain]), donor=name)
    measured("right_without", proportion(plain[tested]))
    measured("right_with", proportion(patched[tested]))
    test = mcnemar(patched[tested], plain[tested])
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01
