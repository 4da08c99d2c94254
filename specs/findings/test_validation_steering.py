"""A push along a computed direction changes more answers than its size does.

"A large alpha changes the output" is true of any vector that is long enough. So the refusal
direction must change more answers than random directions as long do; eight times as long, the
random ones change them too, and the check could not tell one from the other.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, test 0.1; as
         written in `validation.steering.as-written`, exactly in the contract on alpha 0.
Differs: rank among 100 random directions of one norm, at the layer where undoing the direction
         changes most answers on training requests, on others.
"""

import numpy as np
import pytest

from interp import dose_response, resid_post, run, steer, sweep
from interp.directions import contrasts
from interp.readers import likeliest
from interp.stats import proportion, rank_in_null

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27, test 0.1"


@pytest.fixture
def found(model, refusal):
    """The refusal direction, at the layer where undoing it changes most answers in training."""
    kinds = [refusal.only(split="train", language="en", kind=k) for k in ("harmful", "harmless")]
    each = contrasts(model, *kinds, sites=[resid_post(layer) for layer in model.layers])
    less = [(steer(one.site, one.direction, alpha=-1.0),) for one in each]
    changed = sweep(model, kinds[0], less, read=likeliest).values != run(model, kinds[0]).likeliest
    return each[changed.mean(axis=1).argmax()].direction


@pytest.fixture
def doses(model, refusal, found, profile):
    """Whose answers change with the direction subtracted, and with random ones as long."""
    asked = refusal.only(split="test", language="en", kind="harmful")
    asked = asked.where(np.arange(len(asked)) < profile.pick(quick=26, full=len(asked)))
    plain, null = run(model, asked).likeliest, found.random(100, seed=0)

    def read(steered):
        return steered.likeliest != plain

    return dose_response(model, asked, found, controls=null, alphas=(-8.0, -1.0), read=read)


@pytest.mark.finding("validation.steering.more-than-size", version=1, source=SOURCE)
def test_a_direction_changes_more_answers_than_random_ones_as_long(doses, measured, drawn):
    drawn("doses", doses.chart("answered otherwise"))
    shares = doses.controls.mean(axis=2).T
    for alpha, hits, null in zip(doses.alphas, doses.direction, shares, strict=True):
        measured("changed", proportion(hits).needs(25), alpha=float(alpha))
        measured("changed_by_random", float(np.median(null)), n=len(null), alpha=float(alpha))
    p = rank_in_null(doses.direction[1].mean(), shares[1]).p
    assert measured("rank_p", p, n=len(shares[1]), unit="p") < 0.01
