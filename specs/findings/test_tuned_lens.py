"""A tuned lens is nearer to what the model will say than the logit lens, and sees answers earlier.

Early states are written in other coordinates than the last one; an affine map a depth, tuned on
other texts, turns them. It is the map of this depth and this state that does it: those of other
depths, and the same with their inputs in another order, do worse. Only the likeliest token counts
as seen: a map without an eye for the state puts frequent words into a top 30.

Source:  Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens",
         arXiv:2303.08112. Differs: paired by prompt at its last token; controls of our own.
"""

import numpy as np
import pytest

from interp.depths import divergences, untranslated
from interp.resolution import first_in_top
from interp.stats import average, paired_difference, sign_test
from interp.tuned_lens import tuned_lens, without_lens

SOURCE = "arXiv:2303.08112"


@pytest.fixture
def lens(model):
    """The lens that the registry names."""
    return pytest.skip(reason) if (reason := without_lens(model)) else tuned_lens(model)


@pytest.fixture
def prompts(country_capitals):
    """What no lens was tuned on."""
    return country_capitals.only(split="test")


def apart(model, prompts, *lenses):
    """KL(model || lens) of each prompt, the mean over lenses and over all depths but the last."""
    found = [divergences(model, prompts, through=one)[:, :-1].mean(axis=1) for one in lenses]
    return np.mean(found, axis=0)


@pytest.mark.finding("tuned-lens.lower-divergence", version=1, source=SOURCE)
def test_the_tuned_lens_is_nearer_to_the_output(model, prompts, lens, measured):
    logit, tuned = divergences(model, prompts), divergences(model, prompts, through=lens)
    for depth in (0, model.n_layers // 2, model.n_layers - 1):
        measured("kl_logit_lens", average(logit[:, depth]), unit="nat", depth=depth)
        measured("kl_tuned_lens", average(tuned[:, depth]), unit="nat", depth=depth)
    last = measured("kl_last_depth", float(tuned[:, -1].max()), unit="nat")
    own, less = (each[:, :-1].mean(axis=1) for each in (tuned, logit))
    gain = measured("kl_saved", paired_difference(less, own).needs(50), unit="nat")
    assert gain.low > 0
    assert last == 0


@pytest.mark.finding("tuned-lens.own-maps", version=1, source=SOURCE)
@pytest.mark.parametrize("control", ["other_depths", "shuffled"])
def test_other_maps_are_further_from_the_output(model, prompts, lens, profile, measured, control):
    tries = range(1, profile.pick(quick=3, full=model.n_layers))
    shifted = control == "other_depths"
    others = [lens.of_other_depths(n) if shifted else lens.shuffled(seed=n) for n in tries]
    own, null = apart(model, prompts, lens), apart(model, prompts, *others)
    measured("kl", average(own).needs(50), unit="nat")
    measured("kl_of_control", average(null), unit="nat")
    test = sign_test(null - own)
    p = measured("sign_test_p", test.p, n=test.n, unit="p")
    assert p < 0.001


@pytest.mark.finding("tuned-lens.earlier", version=1, source=SOURCE)
def test_answers_are_on_top_earlier(model, prompts, lens, measured, drawn):
    logit, tuned = (first_in_top(model, prompts, k=1, through=one) for one in (untranslated, lens))
    drawn("resolved", tuned.chart())
    measured("median_first_depth_logit_lens", float(np.median(logit.depth)), n=len(logit.depth))
    measured("median_first_depth", float(np.median(tuned.depth)), n=len(tuned.depth))
    measured("on_top_by_chance", average(tuned.resolved_by_chance))
    earlier = measured("depths_earlier", paired_difference(logit.depth, tuned.depth).needs(50))
    test = sign_test(logit.depth - tuned.depth)
    p = measured("sign_test_p", test.p, n=test.n, unit="p")
    assert earlier.low > 0
    assert p < 0.001
