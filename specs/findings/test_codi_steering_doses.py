"""By dose: pushed towards right answers accuracy rises a little, pushed away it falls.

That is the shape both documents look for, at 13 doses. A fall need not be the direction's doing:
the band has random directions as long at each thought. A rise at the best of six doses is tested
with Holm over the six.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21; the same on LLaMA-3.2-1B, 2025-10-21.
Differs: found and added at one site; labels from the same decoder, so that alpha 0 gives exactly a
         half; the documents' doses, and doses in norms of the site; exact McNemar with Holm.
"""

import numpy as np
import pytest

from interp import fed, resid_post, think
from interp.stats import holm, mcnemar, proportion
from interp.thought_steering import labelled, thought_contrast, thought_doses

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.8}
WHERE = [f"{at}-{unit}" for at in ("fed", *DEPTHS) for unit in ("raw", "median_norm")]
SIZES = {"raw": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0), "median_norm": (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)}


@pytest.fixture(scope="module")
def plain(model, word_problems, profile):
    """Questions, thought about without an edit."""
    test = word_problems.only(split="test")
    asked = test.where(np.arange(len(test)) < profile.pick(quick=480, full=1200))
    return think(model, asked, capture=[fed(), *map(resid_post, model.layers)])


@pytest.fixture(scope="module", params=WHERE)
def curve(model, plain, profile, request):
    """Where, in which unit, and who is right at each dose of the direction and of random ones."""
    name, unit = request.param.split("-")
    site = resid_post(model.layer(DEPTHS[name])) if name in DEPTHS else fed()
    known = labelled(plain, held=profile.pick(quick=80, full=200))
    found = thought_contrast(model, plain, site, known.right, known.wrong)
    held = plain.prompts.where(known.held)
    alphas = [-size for size in SIZES[unit][::-1]] + [0.0, *SIZES[unit]]
    controls = found.random(profile.pick(quick=3, full=100))
    doses = thought_doses(model, held, found, alphas=alphas, controls=controls, unit=unit)
    return name, unit, doses


def published(name, unit, alpha):
    """The value of the document on GPT-2, which steered what it calls the middle layer, raw."""
    known = "base" if not alpha else f"{'plus' if alpha > 0 else 'minus'}{abs(alpha):g}"
    return f"s001.{known}" if (name, unit) == ("middle", "raw") else None


@pytest.mark.finding("codi.steering.amplifies", version=2, source=SOURCE)
def test_some_push_towards_right_answers_raises_accuracy(curve, measured, drawn):
    *where, doses = curve
    for alpha, hits in zip(doses.alphas, doses.direction, strict=True):
        name = published(*where, alpha)
        measured("accuracy", proportion(hits), alpha=float(alpha), published=name)
    drawn("doses", doses.chart("answered rightly"))
    base = doses.direction[doses.alphas == 0][0]
    p_values = [mcnemar(hits, base).p for hits in doses.direction[doses.alphas > 0]]
    assert measured("best_p", float(holm(p_values).min()), n=len(base), unit="p") < 0.05


@pytest.mark.finding("codi.steering.lowers", version=1, source=SOURCE)
def test_the_largest_push_away_lowers_accuracy(curve, measured):
    *where, doses = curve
    base, least = doses.direction[doses.alphas == 0][0], doses.direction[0]
    measured("accuracy", proportion(least), published=published(*where, doses.alphas[0]))
    test = mcnemar(base, least)
    measured("change", -test.effect, n=test.n, unit="1")
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01
