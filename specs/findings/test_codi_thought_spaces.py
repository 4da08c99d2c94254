"""A few components of each thought carry the answers: kept they answer, taken out they do not.

Each thought is replaced by its mean and its first principal components, or by itself without them.
Eight random axes, kept or taken out, say what any subspace of that size does. The components come
from one half of the arithmetic, and the thoughts that are replaced from the other.

Source:  "LLaMA-3.2-1B Activation Steering Experiment - Full Dataset", 2025-10-21, which leaves
         the principal components of thoughts for later; Shen et al. 2025, "CODI",
         arXiv:2502.21074v3, for the thoughts.
Differs: the vectors that are fed, all six at once; random axes; exact McNemar with Holm.
"""

import numpy as np
import pytest

from interp import fed
from interp.charts import Curves, Line, Plot
from interp.stats import halves, holm, mcnemar, proportion
from interp.thought_spaces import principal_space
from interp.thought_steering import right_answers
from interp.thoughts import N_THOUGHTS
from interp.transplants import thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA-3.2-1B Activation Steering Experiment, 2025-10-21, diagnostic analysis"
COUNTS, CLAIMED = (1, 2, 4, 8, 16, 32), 8
STEPS = range(N_THOUGHTS)


@pytest.fixture(scope="module")
def hits(model, word_problems, profile):
    """Who is right with components of every thought kept or removed: {way: {count: [batch]}}."""
    test = word_problems.only(split="test")
    asked = test.where(np.arange(len(test)) < profile.pick(quick=240, full=1200))
    fit, rest = halves(asked.groups, seed=0)
    questions, own = asked.where(rest), thoughts_of(model, asked, [fed()])[fed()]
    spaces = [principal_space(own[step][fit]) for step in STEPS]
    kinds = {"first": spaces, "random": [one.random(seed=n) for n, one in enumerate(spaces)]}
    edits = {("all", 0): ()}
    for kind, each in kinds.items():
        for n in COUNTS:
            for way in ("kept", "removed"):
                new = np.array([getattr(each[i], way)(own[i][rest], n) for i in STEPS])
                edits[f"{kind} {way}", n] = transplant(fed(), {fed(): new}, STEPS)
    found = right_answers(model, questions, [*edits.values()])
    return dict(zip(edits, found, strict=True))


def chart(hits):
    """A line a way, by how many components."""
    ways = dict.fromkeys(way for way, n in hits if n)
    by_way = {way: [proportion(hits[way, n]) for n in COUNTS] for way in ways}
    lines = tuple(Line.of(way, COUNTS, shares) for way, shares in by_way.items())
    note = f"n = {len(hits['all', 0])} questions. Bars: 95 % Wilson intervals."
    return Curves("Components of thoughts", note, "components", (Plot("share answered", lines),))


@pytest.mark.finding("codi.thoughts-few-components", version=1, source=SOURCE)
def test_eight_components_carry_more_answers_than_eight_random_axes(hits, measured, drawn):
    drawn("components", chart(hits))
    for (way, n), each in hits.items():
        measured("accuracy", proportion(each), way=way, components=n)
    kept = mcnemar(hits["first kept", CLAIMED], hits["random kept", CLAIMED])
    removed = mcnemar(hits["random removed", CLAIMED], hits["first removed", CLAIMED])
    p = holm([kept.p, removed.p])
    assert measured("worst_holm_p", float(p.max()), n=kept.n, unit="p") < 0.01
