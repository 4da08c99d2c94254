"""Some back-patch rescues a failure more often than luck with as many tries does.

"Some pair of layers rescues it" is the best of all pairs, and luck has that many tries too: another
failure's state, noise as long as the state, or sampling the unedited model as often as there are
pairs. A pair that was chosen on half of the bridges is one try, and is tested on the other.

Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2: some back-patch rescues up to
         66 % of the failures, with none of these controls.
Differs: the grid is the paper's, from a block's output to that of an earlier one; next token
         instead of ten generated ones; exact McNemar on the same failures.
"""

import pytest

from interp import back_patch, run
from interp.patching import back_patch_noise, pair_map, sampled_until_right
from interp.stats import evenly, halves, mcnemar, proportion

SOURCE = "arXiv:2406.12775v2"
PAPER_PAIRS = 496  # of 32 layers


@pytest.fixture(scope="module")
def failures(model, two_hop, profile):
    """Prompts whose hops the model gets right one at a time and wrong together."""
    prompts = two_hop.only(split="test")
    knows = run(model, prompts.first_hop).correct & run(model, prompts.second_hop).correct
    found = prompts.where(knows & ~run(model, prompts).correct, at_least=60)
    return found.where(evenly(len(found), profile.pick(quick=80, full=1000)))


@pytest.fixture(scope="module", params=["e1", "last"])
def grids(model, failures, request):
    """Every pair of layers, with the failure's own state, another's, and noise."""
    at, others = request.param, failures.derange(seed=0)
    return {
        "own": back_patch(model, failures, donors=failures, at=at).between_blocks,
        "another": back_patch(model, failures, donors=others, at=at).between_blocks,
        "noise": back_patch_noise(model, failures, at=at, seed=0).between_blocks,
    }


@pytest.mark.finding("back-patching.luck", version=1, source=SOURCE)
@pytest.mark.parametrize("luck", ["another", "noise"])
def test_some_pair_rescues_more_with_the_own_state(grids, luck, measured, drawn):
    measured("best_of_all_pairs", proportion(grids["own"].any), published="htl.backpatch.max")
    measured("best_of_all_pairs_by_luck", proportion(grids[luck].any))
    drawn("pairs", pair_map("Back-patching: share answered correctly", grids))
    test = mcnemar(grids["own"].any, grids[luck].any)
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01


@pytest.mark.finding("back-patching.sampling", version=1, source=SOURCE)
def test_some_pair_rescues_more_than_as_many_samples(model, failures, grids, measured):
    tries, own = sampled_until_right(model, failures, seed=0), grids["own"]
    measured("best_of_all_pairs", proportion(own.any), published="htl.backpatch.max")
    sampled = measured("right_within_as_many_samples", proportion(tries <= len(own.pairs)))
    measured("right_within_the_paper_s_samples", proportion(tries <= PAPER_PAIRS))
    test = mcnemar(own.any, tries <= len(own.pairs))
    assert measured("mcnemar_p", test.p, n=sampled.n, unit="p") < 0.01


@pytest.mark.finding("back-patching.held-out", version=1, source=SOURCE)
def test_a_pair_chosen_elsewhere_rescues_more_than_noise_does(failures, grids, measured):
    chosen, tested = halves(failures.groups, seed=0)
    own, noise = (grids[name].by(grids[name].best(chosen))[tested] for name in ("own", "noise"))
    measured("rescued", proportion(own))
    measured("rescued_by_noise", proportion(noise))
    test = mcnemar(own, noise)
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01
