"""Pushing thoughts towards wrong answers costs more than pushing them towards right ones gains.

"Easy to break, hard to improve": the documents' summaries set the best of six doses either way side
by side. Both are chosen on half of the questions and tested on the other. Random directions, pushed
either way, say how far that holds of any push: it takes no direction to break something.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, key results; the same on LLaMA-3.2-1B,
         2025-10-21, comparison and key differences.
Differs: found and added at one site; doses chosen on other questions; an exact sign test.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.charts import Forest, Interval, Row
from interp.stats import average, halves, sign_test
from interp.thought_steering import labelled, right_answers, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 and LLaMA-3.2-1B Activation Steering Experiments, 2025-10-21"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.87}
SIZES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
WAYS = {"away": -1, "towards": 1}
NOTE = "Doses chosen on other questions. Bars: 95 % intervals. Random: at 3 times its norm."
GPT2 = {"away": "s001.change.minus3", "towards": "s001.change.plus1"}


@pytest.fixture(scope="module")
def plain(model, word_problems, profile):
    """Questions, thought about without an edit."""
    test = word_problems.only(split="test")
    asked = test.where(np.arange(len(test)) < profile.pick(quick=480, full=1200))
    return think(model, asked, capture=[resid_post(model.layer(one)) for one in DEPTHS.values()])


@pytest.fixture
def change(model, plain, profile, depth):
    """What each push changes, on questions no dose was chosen on: {name: [batch]}."""
    site = resid_post(model.layer(DEPTHS[depth]))
    known = labelled(plain, held=profile.pick(quick=160, full=400))
    found = thought_contrast(model, plain, site, known.right, known.wrong)
    held, random = plain.prompts.where(known.held), found.random(profile.pick(quick=10, full=100))
    doses = [sign * size for sign in WAYS.values() for size in SIZES]
    pushes = [(), *(found.push(found.own, alpha) for alpha in doses)]
    pushes += [found.push(one, sign * SIZES[-1]) for sign in WAYS.values() for one in random]
    base, *hits = right_answers(model, held, pushes).astype(float)
    own = np.array(hits[: len(doses)]).reshape(len(WAYS), len(SIZES), -1) - base
    null = np.array(hits[len(doses) :]).reshape(len(WAYS), len(random), -1).mean(axis=1) - base
    chosen, tested = halves(held.groups, seed=1)
    best = {
        "away": own[0, :, chosen].sum(axis=0).argmin(),
        "towards": own[1, :, chosen].sum(0).argmax(),
    }
    found_ones = {way: own[n, best[way], tested] for n, way in enumerate(WAYS)}
    random_ones = {f"random {way}": null[n, tested] for n, way in enumerate(WAYS)}
    return found_ones | random_ones


def chart(shares):
    """The best push either way, and random ones."""
    found = [(name, Interval(one.mean, one.low, one.high, one.n)) for name, one in shares.items()]
    rows = tuple(Row("", name, interval) for name, interval in found)
    return Forest("Best push either way", NOTE, "change of accuracy", rows)


@pytest.mark.finding("codi.steering.asymmetry", version=1, source=SOURCE)
@pytest.mark.parametrize("depth", DEPTHS)
def test_it_is_easier_to_break_than_to_improve(depth, change, measured, drawn):
    shares = {name: average(each) for name, each in change.items()}
    for way in WAYS:
        measured("change", shares[way], push=way, published=f"s000.change.{depth}.{way}")
    for way in GPT2 if depth == "middle" else ():
        measured("change", shares[way], push=way, beside="gpt2", published=GPT2[way])
    measured("change_of_random", shares["random away"], published="s001.change.random")
    drawn("summary", chart(shares))
    loss = {kind: -change[f"{kind}away"] - change[f"{kind}towards"] for kind in ("", "random ")}
    measured("asymmetry_of_random", average(loss["random "]))
    test = sign_test(loss[""])
    assert measured("sign_p", test.p, n=test.n, unit="p") < 0.05
