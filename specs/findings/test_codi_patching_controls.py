"""What carries the clean answer is the clean question's thoughts: not any thoughts, nor its answer.

All six thoughts of the corrupted question are replaced by five things that are not the clean
question's: its own (nothing may change), those of an unrelated question, of a question that has the
clean answer by another way, vectors of noise as long, and the mean thoughts.

Source:  "LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20, which has no control.
Differs: the five controls; exact McNemar with Holm.
"""

import numpy as np
import pytest

from interp import fed, think
from interp.outcomes import OUTCOMES
from interp.stats import holm, mcnemar, proportion
from interp.thoughts import N_THOUGHTS
from interp.transplants import both_correct, donors_of, outcome_bars, thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"


@pytest.fixture(scope="module")
def pairs(model, word_problem_pairs, profile):
    """Clean and corrupted questions, both answered, with another question of the clean answer."""
    test = word_problem_pairs.only(split="test")
    both = both_correct(model, test, most=profile.pick(quick=60, full=400), at_least=60)
    return both.with_namesakes(test)


@pytest.fixture(scope="module")
def donors(model, pairs, word_problem_pairs):
    """What is put in for the corrupted question's thoughts."""
    own = {"self": thoughts_of(model, pairs.corrupted, [fed()])}
    return {**donors_of(model, pairs, word_problem_pairs.only(split="test"), fed()), **own}


@pytest.mark.finding("codi.patching.self", version=1, source=SOURCE)
def test_its_own_thoughts_change_nothing(model, pairs, donors, measured):
    own, other = (transplant(fed(), donors[name], range(N_THOUGHTS)) for name in ("self", "own"))
    plain, back, moved = (think(model, pairs.corrupted, *edits) for edits in ((), own, other))
    changed = (moved.next_logits != plain.next_logits).any(axis=1)
    assert measured("moved_by_clean", proportion(changed)).mean > 0.9
    assert measured("answers_kept", proportion(np.equal(back.texts, plain.texts))).mean == 1
    apart = float(abs(back.next_logits - plain.next_logits).max())
    assert measured("largest_difference", apart, unit="logit") == 0


@pytest.mark.finding("codi.patching.controls", version=1, source=SOURCE)
def test_the_clean_question_carries_its_answer_more_than_any_control(
    model, pairs, donors, measured, drawn
):
    edits = [transplant(fed(), donor, range(N_THOUGHTS)) for donor in donors.values()]
    given = dict(zip(donors, pairs.answered(model, edits), strict=True))
    for name, outcome in given.items():
        for kind in OUTCOMES:
            measured("share", proportion(outcome.are(kind)), outcome=kind, donor=name)
    drawn("donors", outcome_bars("Six thoughts replaced", "by", given))
    own, *controls = (one.are("clean") for one in given.values())
    p = holm([mcnemar(own, one).p for one in controls])
    assert measured("holm_p", float(p.max()), n=len(pairs), unit="p") < 0.01
