"""The questions of steering: as many right as wrong ones, and none on both sides.

Without an edit exactly half of the tested questions are answered, asked again by themselves, for
half of them were chosen so. The document on GPT-2 has 32.6 % there: two decoders. Both split by
ids, under which questions stand twice; here the split is by what a question is about.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, dataset preparation; the same on
         LLaMA-3.2-1B, 2025-10-21, dataset statistics.
Differs: labels from the decoder that is steered; disjoint in arithmetic, hence in text.
"""

import pytest

from interp import think
from interp.charts import Bars, Part, floats
from interp.stats import proportion
from interp.thought_steering import labelled

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 and LLaMA-3.2-1B Activation Steering Experiments, 2025-10-21"
DOCUMENTS = {"gpt2": "s001", "llama": "s000"}
KNOWN = {"s001": ("right", "wrong", "train", "test"), "s000": ("all", "right", "train", "test")}


@pytest.fixture
def plain(model, word_problems):
    """All questions, thought about without an edit."""
    return think(model, word_problems.only(split="test"))


@pytest.fixture
def sizes(plain, profile):
    """The labelled questions, and how many there are of each kind."""
    known = labelled(plain, held=profile.pick(quick=80, full=200))
    fit, right = known.right | known.wrong, int(plain.correct.sum())
    counts = {"all": len(fit), "right": right, "wrong": len(fit) - right}
    return known, counts | {"train": int(fit.sum()), "test": int(known.held.sum())}


def chart(correct, known):
    """Right and wrong questions of each part."""
    parts = {
        "all": known.held | True,
        "found on": known.right | known.wrong,
        "tested on": known.held,
    }
    right, wrong = (
        [(part & kind).sum() for part in parts.values()] for kind in (correct, ~correct)
    )
    note = f"n = {len(correct)} questions, labelled by the decoder that is steered."
    kinds = (Part("right", floats(right)), Part("wrong", floats(wrong)))
    return Bars("Questions of steering", note, "part", "questions", tuple(parts), kinds)


@pytest.mark.finding("codi.steering.dataset", version=1, source=SOURCE)
def test_it_is_balanced_and_no_question_is_on_both_sides(model, plain, sizes, measured, drawn):
    (known, counts), asked = sizes, plain.prompts
    for document, source in DOCUMENTS.items():
        for part, n in counts.items():
            about = f"{source}.questions.{part}" if part in KNOWN[source] else None
            measured("questions", n, unit="count", part=part, published=about, document=document)
    measured("accuracy_of_all", proportion(plain.correct), published="s000.baseline")
    drawn("questions", chart(plain.correct, known))
    fit, held = (asked.where(part) for part in (known.right | known.wrong, known.held))
    shared = len({one.text for one in fit.prompts} & {one.text for one in held.prompts})
    again = measured("accuracy", proportion(think(model, held).correct), published="s001.base")
    assert (measured("texts_on_both_sides", shared, unit="count"), again.mean) == (0, 0.5)
