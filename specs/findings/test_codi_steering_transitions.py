"""At its best dose steering makes more answers right than wrong: 4 against 2 in the document.

The best of six doses looks better than any of them is, so it is chosen on one half of the
questions and its moves are counted on the other.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, transitions at the best positive dose.
Differs: the dose is chosen on other questions than it is tested on; labels and steered answers come
         from one decoder; exact McNemar.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.stats import halves, mcnemar, proportion
from interp.thought_charts import change_chart
from interp.thought_steering import changes, labelled, thought_contrast, thought_doses

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21"
ALPHAS = (-3.0, -2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
PUBLISHED = {
    "stayed right": "s001.stayed_right",
    "became right": "s001.became_right",
    "became wrong": "s001.became_wrong",
    "stayed wrong": "s001.stayed_wrong",
}


@pytest.fixture
def curve(model, word_problems, profile):
    """Held questions, and who is right at each dose of the direction at the middle layer."""
    test, site = word_problems.only(split="test"), resid_post(model.layer("middle"))
    asked = test.where(np.arange(len(test)) < profile.pick(quick=480, full=1200))
    plain = think(model, asked, capture=[site])
    known = labelled(plain, held=profile.pick(quick=160, full=400))
    found = thought_contrast(model, plain, site, known.right, known.wrong)
    held = plain.prompts.where(known.held)
    controls = found.random(1)
    return held, thought_doses(model, held, found, alphas=ALPHAS, controls=controls)


@pytest.mark.finding("codi.steering.transitions", version=1, source=SOURCE)
def test_at_the_best_dose_more_become_right_than_wrong(curve, measured, drawn):
    questions, doses = curve
    base = doses.direction[ALPHAS.index(0.0)]
    drawn("transitions", change_chart(doses, base))
    chosen, tested = halves(questions.groups, seed=1)
    positive = [n for n, alpha in enumerate(ALPHAS) if alpha > 0]
    best = max(positive, key=lambda n: doses.direction[n][chosen].mean())
    after = doses.direction[best]
    measured("best_alpha", ALPHAS[best], n=int(chosen.sum()))
    for name, moved in changes(base[tested], after[tested]).items():
        measured("share", proportion(moved), change=name, published=PUBLISHED[name])
    test = mcnemar(after[tested], base[tested])
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.05
