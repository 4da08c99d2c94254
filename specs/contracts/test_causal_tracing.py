"""A causal trace is the runs it names: noise at the subject only, once, and clean states undo it.

With everything restored the answer is as likely as in the clean run; before the subject there is
nothing to restore; a window is the blocks it says. The bite: the noise changes probabilities.

Source: contract of `interp.tracing`; Meng et al. 2022, arXiv:2202.05262.
"""

import numpy as np
import pytest

from interp import embed, mlp_out, patch, relative_error, rounding, run, span
from interp.metrics import probability as by_metric
from interp.positions import position
from interp.tracing import Restored, corruption, trace_any

pytestmark = [pytest.mark.contract("steer", "patch", "sweep")]
LOGIT = 20  # as large as they are: probabilities lie as far apart as logits do
SIZES = {2: (-1, 0), 3: (-1, 0, 1)}  # of a window: the blocks around its layer


@pytest.fixture(scope="module")
def prompts(two_hop):
    """A few questions of several lengths, whether or not they are answered."""
    dev = two_hop.only(split="dev")
    return dev.where(np.arange(len(dev)) % 60 == 0)


@pytest.fixture(scope="module")
def noise(model, prompts):
    """Two draws of noise at the subjects."""
    return corruption(model, prompts, draws=2, seed=0)


def probability(done):
    """That of each row's answer."""
    return by_metric(done.next_logits, done.encoded.answers)


def test_noise_falls_on_the_subject_and_its_draws_differ(model, prompts, noise):
    given = [(), (noise.edit(1),)]
    plain, noised = (run(model, prompts, *edits, capture=[embed()]) for edits in given)
    moved = (noised[embed()] != plain[embed()]) & ~np.isnan(plain[embed()])
    assert (moved.any(axis=2) == noised.encoded.mask(span("e1"))).all()
    assert ((noise.noise[0] != noise.noise[1]).any(axis=2) == moved.any(axis=2)).all()


def test_everything_restored_is_the_clean_run(model, prompts, noise):
    clean = probability(run(model, prompts))
    found = trace_any(
        model, prompts, noise, Restored({"all": position("all")}, model.layers), prompts
    )
    assert relative_error(found.clean, clean) < LOGIT * rounding(model)
    every = found.restored[0] * 0 + clean
    assert relative_error(found.restored[0], every) < LOGIT * rounding(model)
    assert (found.corrupted != found.clean).any()


def test_before_the_subject_there_is_nothing_to_restore(model, prompts, noise):
    behind = ~model.encode(prompts).mask(span("e1"))[:, 0]
    by_hand = probability(run(model, prompts, noise.edit(1)))
    found = trace_any(
        model, prompts, noise, Restored({"before": position("first")}, model.layers), prompts
    )
    assert relative_error(found.corrupted[1], by_hand) < LOGIT * rounding(model)
    kept, noised = found.restored[..., behind], found.restored * 0 + found.corrupted
    assert relative_error(kept, noised[..., behind]) < LOGIT * rounding(model)


@pytest.mark.parametrize("size", SIZES)
def test_a_window_is_the_blocks_around_its_layer(model, prompts, noise, size):
    layer, tokens = model.layer("middle"), {"last subject token": span("e1", "last")}
    sites = [mlp_out(layer + by) for by in SIZES[size] if layer + by in model.layers]
    clean = run(model, prompts, capture=sites)
    back = [patch(site, clean[site, "e1"], at="e1") for site in sites]
    by_hand = [probability(run(model, prompts, noise.edit(n), *back)) for n in (0, 1)]
    found = trace_any(model, prompts, noise, Restored(tokens, [layer], "mlp_out", size), prompts)
    assert relative_error(found.restored[0, 0], np.stack(by_hand)) < LOGIT * rounding(model)
