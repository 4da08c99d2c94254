"""Two engines find the same effects: the slope of a dose, a rank in a null, a rate of rescues.

Each engine goes its own way from the prompts to the number. The numbers may differ by the noise
floor: as far as the effect moves on one engine when only the order of the rows changes, and never
less than the rounding of the logits it is made of. The bite: another dose is further away.

Source: contract of every finding: what a model says does not depend on what computes it.
"""

from dataclasses import replace

import numpy as np
import pytest

from interp import back_patch, contrast, resid_post, rounding, run, steer
from interp.backends.varied import Varied
from interp.models import on_other_engine, without_other_engine
from interp.stats import rank_in_null

pytestmark = [pytest.mark.calibration]
KINDS, DOSES = ("Europe", "Asia"), (0.0, 0.5, 1.0, 1.5, 2.0)


@pytest.fixture(scope="module")
def engines(model):
    if reason := without_other_engine(model):
        pytest.skip(reason)
    other = on_other_engine(model)
    yield sorted((model, other), key=lambda one: one.spec.backend == "mlx")
    other.close()


def margin(model, prompts, direction, alpha=1.0):
    return run(model, prompts, steer(direction.site, direction, alpha=alpha)).answer_margin.mean()


def europe(model, prompts):
    kinds = [prompts.where(np.array(prompts.groups) == kind) for kind in KINDS]
    return contrast(model, *kinds, site=resid_post(model.layer("middle"))).direction


def slope(model, asked):
    along = europe(model, asked[0])
    return np.polyfit(DOSES, [margin(model, asked[0], along, dose) for dose in DOSES], 1)[0]


def rank(model, asked):
    along = europe(model, asked[0])
    own, *null = (margin(model, asked[0], d) for d in (along, *along.random(19, seed=0)))
    return rank_in_null(own, np.array(null), tail="less").p


def rescues(model, asked):
    return back_patch(model, asked[1], donors=asked[1], at="e1").correct.mean()


def floor(effect, model, asked):
    turned = replace(model, backend=Varied(model.backend, backwards=True))
    apart = abs(effect(model, asked) - effect(turned, asked))
    return max(apart, rounding(model) * np.abs(run(model, asked[0]).next_logits).max())


@pytest.mark.parametrize("effect", [slope, rank, rescues])
def test_effects_are_the_same(engines, asked, effect, measured):
    noise = measured("noise_floor", floor(effect, engines[0], asked))
    found = [measured("effect", effect(m, asked), engine=m.spec.backend) for m in engines]
    assert abs(found[0] - found[1]) <= noise


def test_another_dose_is_further_away(engines, asked):
    there, here = (europe(model, asked[0]) for model in engines)
    apart = margin(engines[0], asked[0], there) - margin(engines[1], asked[0], here, alpha=10.0)
    assert abs(apart) > 10 * floor(slope, engines[0], asked)
