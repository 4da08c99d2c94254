"""What a prompt finds of the bridge, put into another prompt, is asked about there.

"The state of Dallas is" and "The capital of the state containing Dallas is" both come by Texas. Its
state after a block, put in the place of another entity in "The capital of Ohio is" (the second hop)
or in "The capital of the state containing Toledo is" (the composition), should make that prompt say
Austin. Every pair of layers is tried; the pair is chosen on half of the bridges and tested on the
other, and so is one for another prompt's state, which knows nothing of Austin.

Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2, whose code has these variants;
         Ghandeharioun et al. 2024, "Patchscopes", arXiv:2401.06102.
Differs: another entity in the slot instead of "x"; only where the prompt does not say the answer
         anyway; the null with the same tries; next token, exact McNemar. Quick tries each second
         layer only.
"""

from itertools import product

import pytest

from interp import run
from interp.patching import answered_as, cross_patch, pair_map, states_at
from interp.stats import evenly, halves, mcnemar, proportion

ALIKE = ("kind", "relation")  # what the entity in the slot shares with the one that is put there
FRAMES = {"second hop": lambda asked: asked.second_hop, "composition": lambda asked: asked}
SOURCES = {"first hop": lambda asked: asked.first_hop, "two hops": lambda asked: asked}


@pytest.fixture(scope="module")
def known(model, two_hop, profile):
    """Prompts whose hops the model gets right one at a time, whether or not together."""
    prompts = two_hop.only(split="test")
    knows = run(model, prompts.first_hop).correct & run(model, prompts.second_hop).correct
    found = prompts.where(knows, at_least=60)
    return found.where(evenly(len(found), profile.pick(quick=80, full=1000)))


@pytest.fixture(scope="module", params=FRAMES)
def asked(model, known, request):
    """Prompts with another entity in the slot that do not answer for the bridge; whose; strangers.

    They are right where they answer for the bridge.
    """
    others, strangers = (known.derange(seed=seed, alike=ALIKE) for seed in (0, 1))
    targets = answered_as(FRAMES[request.param](others), known)
    kept = ~run(model, targets).correct
    return [one.where(kept, at_least=40) for one in (targets, known, strangers)]


@pytest.fixture(params=[*product(SOURCES, ("e1", "last"))], ids=" at ".join)
def grids(model, asked, profile, request):
    """Every pair of layers, with the state of a prompt that comes by the bridge, and another's."""
    (source, at), (targets, *donors) = request.param, asked
    states = [states_at(model, SOURCES[source](one), at) for one in donors]
    every = profile.pick(quick=2, full=1)
    found = [cross_patch(model, targets, given=one, at="e1", every=every) for one in states]
    return dict(zip(("own state", "another prompt's"), found, strict=True))


@pytest.mark.finding("cross-prompt.bridge", version=1, source="arXiv:2406.12775v2")
def test_the_bridge_is_asked_about(asked, grids, measured, drawn):
    drawn("pairs", pair_map("Cross-prompt patching: answered for the bridge", grids))
    chosen, tested = halves(asked[1].groups, seed=0)
    own, null = (one.by(one.best(chosen))[tested] for one in grids.values())
    measured("answered", proportion(own))
    measured("answered_null", proportion(null))
    test = mcnemar(own, null)
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01
