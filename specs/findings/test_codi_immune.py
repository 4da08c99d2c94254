"""A model is immune to steering: at none of the documents' doses do its answers change.

That no difference was found is no such claim. Here the difference is shown to lie within three
questions of a hundred at every dose, by the largest of which the site moves by a fifth of its norm
at least, while a dose that is twice as long as the site's values does change answers.

Source:  "LLaMA-3.2-1B Activation Steering Experiment - Full Dataset", 2025-10-21.
Differs: each layer is steered at itself, where the document added all vectors after the final norm;
         Tango's two one-sided tests with a margin of 0.03; a dose that bites.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.reports.equivalence import weigh
from interp.stats import Estimate, mcnemar, proportion
from interp.thought_steering import labelled, right_answers, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA-3.2-1B Activation Steering Experiment - Full Dataset, 2025-10-21"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.87}
ALPHAS = tuple(sign * size for size in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0) for sign in (-1, 1))
MARGIN, BITE, EXTREME = 0.03, -2.0, (-2.5, -3.0, 2.5)


@pytest.fixture(params=DEPTHS)
def depth(request):
    """Which of the document's three layers."""
    return request.param


@pytest.fixture
def found(model, word_problems, profile, depth, measured):
    """A contrast for each thought, and as many right as wrong questions that it was not made of."""
    test, site = word_problems.only(split="test"), resid_post(model.layer(DEPTHS[depth]))
    asked = test.where(np.arange(len(test)) < profile.pick(quick=480, full=1200))
    plain = think(model, asked, capture=[site])
    measured("accuracy_of_all", proportion(plain.correct), published="s000.baseline")
    known = labelled(plain, held=profile.pick(quick=160, full=480))
    contrast = thought_contrast(model, plain, site, known.right, known.wrong)
    return contrast, plain.prompts.where(known.held)


def published(depth, alpha):
    """What the document has there: one value for two layers, two for the third."""
    if depth != "late":
        return "s000.all"
    return "s000.late.extreme" if alpha in EXTREME else "s000.late"


@pytest.mark.finding("codi.steering.immune", version=1, source=SOURCE)
def test_no_dose_of_the_document_changes_answers(model, found, measured, depth):
    contrast, questions = found
    pushes = [(), contrast.push(contrast.own, BITE, unit="median_norm")]
    pushes += [contrast.push(contrast.own, alpha) for alpha in ALPHAS]
    base, bitten, *each = right_answers(model, questions, pushes)
    for alpha, hits in zip((0.0, *ALPHAS), (base, *each), strict=True):
        measured("accuracy", proportion(hits), alpha=alpha, published=published(depth, alpha))
    worst = max((weigh(base, hits, margin=MARGIN) for hits in each), key=lambda one: one.p_apart)
    measured("largest_change", Estimate(worst.difference, worst.low, worst.high, worst.n))
    dose = measured("relative_dose", max(ALPHAS) * contrast.relative_norm, unit="norms")
    bite = measured("bite_p", mcnemar(base, bitten).p, n=worst.n, unit="p")
    p = measured("equivalence_p", worst.p_apart, n=worst.n, unit="p")
    assert (dose >= 0.2, bite < 0.01, p < 0.05) == (True, True, True)
