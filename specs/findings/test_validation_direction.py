"""A refusal direction is one: other requests give it again, and its sign decides what it does.

Extracted once more from the same requests it is the same vector, whatever their labels are. What
speaks for it is that two halves of the requests agree on it, more than with shuffled labels; and
that it raises refusal when added and lowers it when subtracted, request by request, which random
directions as long do less.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, test 0.3; as
         written in `validation.direction.as-written`.
Differs: cosines of halves with a label-shuffled null; the part of the effect that turns with the
         sign, at the layer where it is largest on training requests, on others.
"""

from dataclasses import replace

import numpy as np
import pytest

from interp import resid_post, run, steer, sweep
from interp.directions import by_layer, contrasts
from interp.grids import Variants
from interp.readers import answer_margin
from interp.stats import Estimate, average, holm, rank_in_null, sign_test

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27, test 0.3"


@pytest.fixture
def found(model, refusal, drawn):
    """The contrast at the layer where adding and subtracting differ most, on training requests."""
    train = refusal.only(split="train", language="en")
    kinds = [train.only(kind=kind) for kind in ("harmful", "harmless")]
    each = contrasts(model, *kinds, sites=[resid_post(layer) for layer in model.layers])
    drawn("layers", by_layer(each))
    up, down = both_ways(model, kinds[0], [one.direction for one in each])
    return each[(up - down).mean(axis=1).argmax()]


def both_ways(model, prompts, directions):
    """Refusal's margin with each direction added, then subtracted: [sign, direction, prompt]."""
    pushes = {
        (sign, row): (steer(one.site, one, alpha=sign),)
        for sign in (1.0, -1.0)
        for row, one in enumerate(directions)
    }
    return sweep(model, prompts, Variants(("sign", "row"), pushes), read=answer_margin).table


def shuffled(found, seed):
    """The same values with their labels drawn by lot."""
    pool, n = np.concatenate([found.positive, found.negative]), len(found.positive)
    order = np.random.default_rng(seed).permutation(len(pool))
    return replace(found, positive=pool[order[:n]], negative=pool[order[n:]])


@pytest.mark.finding("validation.direction.consistent", version=1, source=SOURCE)
def test_halves_agree_and_more_than_halves_with_shuffled_labels(found, measured, profile):
    tries = range(profile.pick(quick=200, full=1000))
    null = np.array([shuffled(found, seed).agreement(seed=seed) for seed in tries])
    cosines = [found.agreement(seed=seed) for seed in range(100)]
    own, lots = (np.quantile(each, (0.5, 0.025, 0.975)) for each in (cosines, null))
    half = measured("split_half_cosine", Estimate(*own, n=len(found.positive)))
    measured("split_half_cosine_of_shuffled", Estimate(*lots, n=len(found.positive)))
    p = measured("rank_p", rank_in_null(half.mean, null).p, n=len(null), unit="p")
    assert (half.low > 0.9, p < 0.01) == (True, True)


@pytest.mark.finding("validation.direction.sign", version=1, source=SOURCE)
def test_added_it_raises_refusal_and_subtracted_it_lowers_it(model, refusal, found, measured):
    asked = refusal.only(split="test", language="en", kind="harmful")
    each = [found.direction, *found.direction.random(100, seed=0)]
    up, down = both_ways(model, asked, each) - run(model, asked).answer_margin
    measured("change_when_added", average(up[0]).needs(50), unit="logits")
    measured("change_when_subtracted", average(down[0]), unit="logits")
    own, *null = np.abs((up - down).mean(axis=1) / 2)
    measured("turns_with_sign", float(own), unit="logits", n=len(asked))
    measured("turns_with_sign_of_random", float(np.median(null)), unit="logits", n=len(null))
    signs = holm([sign_test(up[0]).p, sign_test(down[0], tail="less").p])
    p = measured("largest_p", max(rank_in_null(own, null).p, *signs), n=len(null), unit="p")
    assert p < 0.01
