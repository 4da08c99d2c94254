"""A causal trace is the runs it names: noise at the subject only, once, and clean states undo it.

With everything restored the answer is as likely as without noise, which does change it; before the
subject there is nothing to restore. Source: Meng et al. 2022, arXiv:2202.05262.
"""

import numpy as np
import pytest
from msgspec import structs

from interp import PromptSet, embed, mlp_out, patch, relative_error, rounding, run, span
from interp.metrics import probability as by_metric
from interp.positions import position
from interp.tracing import Restored, corruption, trace

pytestmark = [pytest.mark.contract("steer", "patch", "sweep")]
LOGIT = 20  # as large as they are: probabilities lie as far apart as logits do
SIZES = {2: (-1, 0), 3: (-1, 0, 1)}  # of a window


@pytest.fixture(scope="module")
def prompts(model, mixed_lengths):
    """Texts of many lengths, each right where it says what the model says."""
    texts = [one for one in mixed_lengths.prompts if one.text != one.spans["e1"]]
    said = run(model, PromptSet("texts", tuple(texts))).likeliest.tolist()
    words = [model.backend.tokenizer.decode([token]).strip() for token in said]
    answers = [(word,) if word.isalnum() else ("the",) for word in words]
    made = map(lambda one, says: structs.replace(one, answers=says), texts, answers)
    answered = PromptSet("answered", tuple(made))
    right = run(model, answered).correct
    if right.sum() < 3:
        pytest.skip("this model ends such texts: it gives no answers to trace")
    return answered.where(right)


@pytest.fixture(scope="module")
def noise(model, prompts):
    """Two draws of noise at the subjects."""
    return corruption(model, prompts, draws=2, seed=0)


def probability(done):
    return by_metric(done.next_logits, done.encoded.answers)


def test_noise_falls_on_the_subject_and_its_draws_differ(model, prompts, noise):
    plain, noised = (run(model, prompts, *one, capture=[embed()]) for one in ((), [noise.edit(1)]))
    moved = (noised[embed()] != plain[embed()]) & ~np.isnan(plain[embed()])
    assert (moved.any(axis=2) == noised.encoded.mask(span("e1"))).all()
    assert ((noise.noise[0] != noise.noise[1]).any(axis=2) == moved.any(axis=2)).all()


def test_everything_restored_is_the_clean_run(model, prompts, noise):
    clean = probability(run(model, prompts))
    found = trace(model, prompts, noise, Restored({"all": position("all")}, model.layers))
    assert relative_error(found.clean, clean) < LOGIT * rounding(model)
    assert relative_error(found.restored[0], found.restored[0] * 0 + clean) < LOGIT * rounding(
        model
    )
    assert (found.corrupted != found.clean).any()


def test_before_the_subject_there_is_nothing_to_restore(model, prompts, noise):
    behind = ~model.encode(prompts).mask(span("e1"))[:, 0]
    by_hand = probability(run(model, prompts, noise.edit(1)))
    found = trace(model, prompts, noise, Restored({"before": position("first")}, model.layers))
    assert relative_error(found.corrupted[1], by_hand) < LOGIT * rounding(model)
    noised = (found.restored * 0 + found.corrupted)[..., behind]
    assert relative_error(found.restored[..., behind], noised) < LOGIT * rounding(model)


@pytest.mark.parametrize("size", SIZES)
def test_a_window_is_the_blocks_around_its_layer(model, prompts, noise, size):
    layer, tokens = model.layer("middle"), {"last subject token": span("e1", "last")}
    sites = [mlp_out(layer + by) for by in SIZES[size] if layer + by in model.layers]
    clean = run(model, prompts, capture=sites)
    back = [patch(site, clean[site, "e1"], at="e1") for site in sites]
    by_hand = [probability(run(model, prompts, noise.edit(n), *back)) for n in (0, 1)]
    found = trace(model, prompts, noise, Restored(tokens, [layer], "mlp_out", size))
    assert relative_error(found.restored[0, 0], np.stack(by_hand)) < LOGIT * rounding(model)
