"""A causal trace is the runs it names: noise at the subject only, once, and clean states undo it.

With everything restored after any block the answer is as likely as in the clean run; before the
subject there is nothing to restore; a window is the blocks it says. Noise drawn anew for each cell,
or elsewhere, or a probability of something else would show here. The bite: the noise changes every
answer's probability.

Source: contract of `interp.tracing`; Meng et al. 2022, arXiv:2202.05262.
"""

import numpy as np
import pytest
from msgspec import structs

from interp import PromptSet, embed, metrics, mlp_out, patch, rounding, run, span
from interp.positions import position
from interp.tracing import Restored, corruption, trace

pytestmark = [pytest.mark.contract("steer", "patch", "sweep")]
SIZES = {2: (-1, 0), 3: (-1, 0, 1)}  # of a window: the blocks around its layer


@pytest.fixture(scope="module")
def prompts(model, mixed_lengths):
    """Texts of many lengths, each right where it says what the model says."""
    texts = [one for one in mixed_lengths.prompts if one.text != one.spans["e1"]]
    said = run(model, PromptSet("texts", tuple(texts))).likeliest
    words = [model.backend.tokenizer.decode([int(token)]).strip() or "the" for token in said]
    made = (structs.replace(one, answers=(word,)) for one, word in zip(texts, words, strict=True))
    answered = PromptSet("answered", tuple(made))
    return answered.where(run(model, answered).correct, at_least=3)


@pytest.fixture(scope="module")
def noise(model, prompts):
    """Two draws of noise at the subjects."""
    return corruption(model, prompts, draws=2, seed=0)


@pytest.fixture
def close(model):
    """How far apart equal probabilities may lie: as logits of some 20."""
    return 20 * rounding(model)


def probability(done):
    """That of each row's answer."""
    return metrics.probability(done.next_logits, done.encoded.answers)


def test_noise_falls_on_the_subject_and_its_draws_differ(model, prompts, noise):
    given = [(), (noise.edit(1),)]
    plain, noised = (run(model, prompts, *edits, capture=[embed()]) for edits in given)
    moved = (noised[embed()] != plain[embed()]) & ~np.isnan(plain[embed()])
    assert (moved.any(axis=2) == noised.encoded.mask(span("e1"))).all()
    assert ((noise.noise[0] != noise.noise[1]).any(axis=2) == moved.any(axis=2)).all()


def test_everything_restored_is_the_clean_run(model, prompts, noise, close):
    clean = probability(run(model, prompts))
    found = trace(model, prompts, noise, Restored({"all": position("all")}, model.layers))
    assert np.abs(found.clean - clean).max() < close
    assert np.abs(found.restored[0] - clean).max() < close
    assert (np.abs(found.total) > 10 * close).all()


def test_before_the_subject_there_is_nothing_to_restore(model, prompts, noise, close):
    found = trace(model, prompts, noise, Restored({"before": position("first")}, model.layers))
    behind = ~model.encode(prompts).mask(span("e1"))[:, 0]
    by_hand = probability(run(model, prompts, noise.edit(1)))
    assert np.abs(found.corrupted[1] - by_hand).max() < close
    assert np.abs(found.restored - found.corrupted)[..., behind].max() < close


@pytest.mark.parametrize("size", SIZES)
def test_a_window_is_the_blocks_around_its_layer(model, prompts, noise, size, close):
    layer, tokens = model.layer("middle"), {"last subject token": span("e1", "last")}
    sites = [mlp_out(layer + by) for by in SIZES[size] if layer + by in model.layers]
    clean = run(model, prompts, capture=sites)
    back = [patch(site, clean[site, "e1"], at="e1") for site in sites]
    by_hand = [probability(run(model, prompts, noise.edit(n), *back)) for n in (0, 1)]
    found = trace(model, prompts, noise, Restored(tokens, [layer], "mlp_out", size))
    assert np.abs(found.restored[0, 0] - by_hand).max() < close
