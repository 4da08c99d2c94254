"""Which thought at which layer holds what differs between two questions.

One thought of the clean question is put into the corrupted one at one layer, and the answer's
distribution before the number moves, or not. A push of the same length in a random direction says
how much of that is any disturbance. The place with the largest effect is chosen on half of the
pairs and tested on the other; the random push has the same choice.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20, whose positional study is
         left for later.
Differs: every thought at every layer and as it is fed; KL of the answer, and a matched push.
"""

import numpy as np
import pytest

from interp import fed, resid_post, think
from interp.charts import HeatMap, Panel, floats
from interp.metrics import kl_divergence
from interp.norms import noise_like
from interp.stats import average, halves, sign_test
from interp.thoughts import N_THOUGHTS, frame
from interp.transplants import both_correct, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"


@pytest.fixture(scope="module")
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, where both are answered."""
    test = word_problem_pairs.only(split="test")
    return both_correct(model, test, most=profile.pick(quick=40, full=200), at_least=40)


def moved(model, pairs, donor):
    """How far each thought at each site moves each answer, in nats: [site, thought, batch]."""
    said = frame(think(model, pairs.corrupted))
    plain = think(model, pairs.corrupted, said=said).next_logits
    edits = [transplant(site, donor, [step]) for site in donor for step in range(N_THOUGHTS)]
    after = pairs.logits(model, edits, said=said)
    far = np.array([kl_divergence(plain, logits) for logits in after])
    return far.reshape(len(donor), N_THOUGHTS, -1)


def chart(far):
    """The grids of both donors."""
    panels = [Panel(name, tuple(map(floats, each.mean(axis=2)))) for name, each in far.items()]
    n_sites, _, n = far["clean"].shape
    names = ("fed", *(f"resid_post({layer})" for layer in range(n_sites - 1)))
    note = f"n = {n} pairs, mean KL from the answer without a patch."
    across = ("thought", "site", tuple(map(str, range(N_THOUGHTS))), names, "KL (nats)")
    return HeatMap("One thought patched at one layer", note, *across, tuple(panels))


@pytest.fixture
def far(model, pairs):
    """How far clean thoughts, and pushes as long, move each answer: [site, thought, batch]."""
    sites = [fed(), *map(resid_post, range(model.n_layers))]
    clean, own = (thoughts_of(model, one, sites) for one in (pairs.clean, pairs.corrupted))
    push = noise_like({site: clean[site] - own[site] for site in sites}, seed=0)
    pushed = {site: own[site] + push[site] for site in sites}
    return {"clean": moved(model, pairs, clean), "push": moved(model, pairs, pushed)}


@pytest.mark.finding("codi.patching.map", version=1, source=SOURCE)
def test_a_thought_at_a_layer_moves_the_answer_more_than_a_push(pairs, far, measured, drawn):
    drawn("grid", chart(far))
    chosen, tested = halves(pairs.clean.groups, seed=0)
    best = {}
    for name, each in far.items():
        flat = each.reshape(-1, len(pairs))
        best[name] = flat[flat[:, chosen].mean(axis=1).argmax(), tested]
        measured("kl_at_best", average(best[name]), donor=name, unit="nats")
    test = sign_test(best["clean"] - best["push"])
    assert measured("sign_p", test.p, n=test.n, unit="p") < 0.01
