"""Steering as the documents ran it: vectors read before a block, added after the final norm.

Whatever layer a vector came from, it went in at one and the same place, just before the projection
that makes the next thought: "early", "middle" and "late" are three vectors there, and no layer was
steered. The sixth thought's is never read, so five are added here, which is the same bit for bit.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, steering performance; the same on
         LLaMA-3.2-1B, 2025-10-21, summary table of all layers.
Differs: thoughts after the token that begins them; one decoder; exact tests. The site is theirs.
"""

import pytest

from interp import final_norm, resid_pre, steer, think, thought
from interp.charts import Curves, Line, Plot
from interp.reports.equivalence import weigh
from interp.stats import mcnemar, proportion
from interp.thought_steering import labelled, right_answers, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 and LLaMA-3.2-1B Activation Steering Experiments, 2025-10-21"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.87}
ALPHAS = (-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
ZERO, MARGIN, EXTREME = ALPHAS.index(0.0), 0.03, (-2.5, -3.0, 2.5)


@pytest.fixture(scope="module")
def hits(model, word_problems, profile):
    """Who is right at each dose of the vectors of each layer: {depth: [alpha, batch]}."""
    sites = {depth: resid_pre(model.layer(share)) for depth, share in DEPTHS.items()}
    plain = think(model, word_problems.only(split="test"), capture=[*sites.values(), final_norm()])
    known = labelled(plain, held=profile.pick(quick=160, full=480))
    found = {}
    for depth, site in sites.items():
        own = thought_contrast(model, plain, site, known.right, known.wrong).own[:-1]
        each = [[(alpha, n, one.vector) for n, one in enumerate(own)] for alpha in ALPHAS]
        pushes = [
            tuple(steer(final_norm(), v, alpha=a, at=thought(n)) for a, n, v in one) for one in each
        ]
        pushes[ZERO] = ()
        found[depth] = right_answers(model, plain.prompts.where(known.held), pushes)
    return found


def published(depth, alpha):
    """The value of the document on LLaMA, which has three layers."""
    if depth != "late":
        return "s000.all"
    return "s000.late.extreme" if alpha in EXTREME else "s000.late"


def curves(hits):
    """A line a layer that vectors came from."""
    lines = [Line.of(depth, ALPHAS, [*map(proportion, each)]) for depth, each in hits.items()]
    note = f"n = {hits['early'].shape[1]} questions. Bars: 95 % Wilson intervals."
    plot = Plot("share answered", tuple(lines))
    return Curves("Vectors of three layers added after the final norm", note, "alpha", (plot,))


@pytest.mark.finding("codi.steering.as-run", version=1, source=SOURCE)
def test_the_vectors_of_the_middle_layer_lower_accuracy(hits, measured, drawn):
    drawn("doses", curves(hits))
    for alpha, each in zip(ALPHAS, hits["middle"], strict=True):
        known = f"{'plus' if alpha > 0 else 'minus'}{abs(alpha):g}" if alpha else "base"
        measured("accuracy", proportion(each), alpha=alpha, published=f"s001.{known}")
    test = mcnemar(hits["middle"][ZERO], hits["middle"][0])
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.05


@pytest.mark.finding("codi.steering.as-run-immune", version=1, source=SOURCE)
@pytest.mark.parametrize("depth", DEPTHS)
def test_no_dose_of_a_layer_s_vectors_changes_answers(hits, measured, depth):
    base, apart = hits[depth][ZERO], []
    for alpha, each in zip(ALPHAS, hits[depth], strict=True):
        measured("accuracy", proportion(each), alpha=alpha, published=published(depth, alpha))
        apart.append(weigh(base, each, margin=MARGIN).p_apart)
    assert measured("equivalence_p", max(apart), n=len(base), unit="p") < 0.05
