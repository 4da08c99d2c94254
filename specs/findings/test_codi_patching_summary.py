"""Two models side by side: what they answer, how many pairs, and the sixth thought at a late layer.

The document's last table sets two models next to each other; here the model at hand stands beside
both of its columns. Two of its rows are claims that nothing else tests. Clean questions are
answered more often than corrupted ones, as they would be where corrupted answers are guessed. And
five thoughts patched at a late layer do what six do: there is one block left to read the sixth.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20, comparison table.
Differs: both answers of a pair are computed; the same answers are shown by equivalence, not by eye.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.charts import Forest, Interval, Row
from interp.reports.equivalence import weigh
from interp.stats import mcnemar, proportion
from interp.thoughts import N_THOUGHTS
from interp.transplants import both_correct, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20, comparison table"
DOCUMENTS, MARGIN = ("gpt2", "llama"), 0.05


@pytest.fixture
def answered(model, word_problem_pairs, profile):
    """Which clean and which corrupted questions are answered, pair by pair."""
    test = word_problem_pairs.only(split="test")
    sides = {kind: test.only(kind=kind) for kind in ("clean", "corrupted")}
    few = np.arange(len(sides["clean"])) < profile.pick(quick=200, full=1200)
    return {kind: think(model, side.where(few)).correct for kind, side in sides.items()}


@pytest.fixture
def patched(model, word_problem_pairs, profile):
    """Pairs, and what is answered with five and with six thoughts patched at the late layer."""
    test = word_problem_pairs.only(split="test")
    pairs = both_correct(model, test, most=profile.pick(quick=80, full=400), at_least=60)
    site = resid_post(model.layer(0.9))
    donor = thoughts_of(model, pairs.clean, [site])
    edits = [transplant(site, donor, range(n)) for n in (5, N_THOUGHTS)]
    return pairs, *(think(model, pairs.corrupted, *one, dead_sites=True) for one in edits)


def chart(shares):
    """How many of either kind are answered, and of how many pairs both."""
    found = [(name, Interval(one.mean, one.low, one.high, one.n)) for name, one in shares.items()]
    rows = tuple(Row("", name, interval) for name, interval in found)
    return Forest("Pairs of questions", "Bars: 95 % Wilson intervals.", "share answered", rows)


@pytest.mark.finding("codi.patching.accuracy", version=1, source=SOURCE)
def test_clean_questions_are_answered_more_often(model, answered, measured, drawn):
    clean, corrupted = answered["clean"], answered["corrupted"]
    each = {name: proportion(hits) for name, hits in answered.items()}
    facts = {"pairs": int((clean & corrupted).sum()), "layers": model.n_layers}
    facts |= {"width": model.d_model, "parameters": model.backend.info.thoughts.n_parameters}
    drawn("accuracy", chart({**each, "both": proportion(clean & corrupted)}))
    for about in DOCUMENTS:
        for kind, share in each.items():
            known = f"s002.{about}.accuracy.{kind}"
            measured("accuracy", share, of=kind, document=about, published=known)
        for fact, n in facts.items():
            measured(fact, n, unit="count", published=f"s002.{about}.{fact}", document=about)
    assert measured("mcnemar_p", mcnemar(clean, corrupted).p, n=len(clean), unit="p") < 0.05


@pytest.mark.finding("codi.patching.plateau", version=1, source=SOURCE)
def test_the_sixth_late_thought_adds_nothing(model, patched, measured):
    pairs, five, six = patched
    same = proportion(np.equal(five.texts, six.texts))
    measured("same_text", same, published="s002.llama.late.same_text")
    plain = think(model, pairs.corrupted)
    moved = measured("moved_by_five", proportion(np.not_equal(plain.texts, five.texts)))
    clean = [pairs.outcomes(one.texts).are("clean") for one in (five, six)]
    found = weigh(*clean, margin=MARGIN)
    assert measured("equivalence_p", found.p_apart, n=found.n, unit="p") < 0.05
    assert moved.low > MARGIN
