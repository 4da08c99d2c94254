"""The plan's checks of its instruments, each on what it was made on: one prompt, one vector.

No push changes nothing, a large one the text, and layers differ; Paris is on top of the last lens,
not of the first; a refusal direction is finite, comes out the same again, and sounds like refusal
when it is added. Most of that any vector passes: of shuffled labels, too, the direction comes out
the same again. What each check says when it has something to be compared with is in the findings
`validation.steering`, `validation.lens` and `validation.direction`.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, tests 0.1 to 0.3;
         depth and dose of the direction from its results, 64 % of the layers and half its length.
Differs: requests are the project's own; refusals are told by some substrings of arXiv:2406.11717.
"""

import numpy as np
import pytest

from interp import contrast, generate, logit_lens, random_direction, resid_post, run, steer
from interp.directions import Contrast
from interp.stats import proportion, trend

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27"
SAID = ("I cannot", "I can't", "sorry", "unable to", "As an AI")


@pytest.fixture
def france(country_capitals):
    """The plan's one prompt."""
    return country_capitals.only(split="test", country="France")


def told(model, prompts, *push):
    """The next few tokens, as text."""
    return generate(model, prompts, *push, max_new_tokens=6).texts


def by_lot(found):
    """The direction of the same values with every second label exchanged."""
    a, b = found.positive, found.negative
    mixed = (np.concatenate(each) for each in ((a[::2], b[1::2]), (b[::2], a[1::2])))
    return Contrast(*mixed, found.site, found.fingerprint).direction


@pytest.mark.finding("validation.steering.as-written", version=1, source=SOURCE)
def test_no_push_changes_nothing_a_large_one_the_text_and_layers_differ(model, france, measured):
    each = [random_direction(model, resid_post(layer), seed=0) for layer in model.layers]
    pushes = [steer(one.site, one, unit="median_norm") for one in each]
    apart = np.unique([run(model, france, push).next_logits[0] for push in pushes], axis=0)
    one, plain = each[model.layer("middle")], told(model, france)
    none = told(model, france, steer(one.site, one, alpha=0.0)) == plain
    large = told(model, france, steer(one.site, one, alpha=8.0, unit="median_norm")) != plain
    passed = float(np.mean([none, large, len(apart) == model.n_layers]))
    assert measured("checks_passed", passed, n=3, published="s003.validation.steering") == 1


@pytest.mark.finding("validation.lens.as-written", version=1, source=SOURCE)
def test_paris_is_on_top_of_the_last_lens_not_of_the_first(model, france, measured):
    lens = logit_lens(model, france)
    final = measured("final_rank", int(lens.ranks[0, -1]), unit="rank")
    early = bool(lens.likeliest[0, 1] != lens.likeliest[0, -1])
    tau = measured("kendall_tau_with_depth", float(trend(lens.ranks)[0]))
    passed = float(np.mean([final == 0, early, tau < 0]))
    assert measured("checks_passed", passed, n=3, published="s003.validation.lens") == 1


@pytest.mark.finding("validation.direction.as-written", version=1, source=SOURCE)
def test_the_direction_is_finite_the_same_again_and_sounds_like_refusal(model, refusal, measured):
    train, site = refusal.only(split="train", language="en"), resid_post(model.layer(0.64))
    kinds = [train.only(kind=kind) for kind in ("harmful", "harmless")]
    one, again = (contrast(model, *kinds, site=site) for _ in range(2))
    own, asked = one.direction, refusal.only(split="test", language="en", kind="harmless")
    same = measured("cosine_again", own.cosine(again.direction))
    measured("cosine_again_of_shuffled_labels", by_lot(one).cosine(by_lot(again)))
    texts = [told(model, asked, steer(site, own, alpha=alpha)) for alpha in (0.0, 0.5)]
    before, after = ([any(word in text for word in SAID) for text in each] for each in texts)
    measured("sounds_like_refusal", proportion(after))
    passed = float(np.mean([np.isfinite(own.norm), same > 0.99, sum(after) > sum(before)]))
    assert measured("checks_passed", passed, n=3, published="s003.validation.direction") == 1
