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

import pytest

from interp import run
from interp.patching import answered_as, cross_patch, pair_map, states_at
from interp.stats import halves, mcnemar, proportion

ALIKE = ("kind", "relation")  # what the entity in the slot shares with the one that is put there
FRAMES = {"second hop": lambda asked: asked.second_hop, "composition": lambda asked: asked}
SOURCES = {"first hop": lambda asked: asked.first_hop, "two hops": lambda asked: asked}


@pytest.fixture(scope="module")
def known(model, two_hop, profile):
    """Prompts whose hops the model gets right one at a time, whether or not together."""
    prompts = two_hop.only(split="test")
    knows = run(model, prompts.first_hop).correct & run(model, prompts.second_hop).correct
    return prompts.where(knows, at_least=60).some(profile.pick(quick=80, full=1000))


@pytest.fixture(scope="module", params=FRAMES)
def asked(model, known, request):
    """Prompts with another entity in the slot, right where they answer for the bridge; and whose."""
    others = known.derange(seed=0, alike=ALIKE)
    targets = answered_as(FRAMES[request.param](others), known)
    kept = ~run(model, targets).correct
    strangers = known.derange(seed=1, alike=ALIKE)
    return {
        "targets": targets.where(kept, at_least=40),
        "own state": known.where(kept),
        "another prompt's": strangers.where(kept),
    }


@pytest.mark.finding("cross-prompt.bridge", version=1, source="arXiv:2406.12775v2")
@pytest.mark.parametrize("position", ["e1", "last"])
@pytest.mark.parametrize("source", SOURCES)
def test_the_bridge_is_asked_about(model, asked, source, position, measured, drawn, profile):
    targets, every, grids = asked["targets"], profile.pick(quick=2, full=1), {}
    for name in ("own state", "another prompt's"):
        given = states_at(model, SOURCES[source](asked[name]), position)
        grids[name] = cross_patch(model, targets, given=given, at="e1", every=every)
    drawn("pairs", pair_map("Cross-prompt patching: answered for the bridge", grids))
    chosen, tested = halves(asked["own state"].groups, seed=0)
    own, null = (one.by(one.best(chosen))[tested] for one in grids.values())
    measured("answered", proportion(own))
    measured("answered_null", proportion(null))
    test = mcnemar(own, null)
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01
