"""Steering of thoughts on tiny models: who is tested, how far a push goes, what is counted."""

import numpy as np
import pytest

from interp import fed, resid_post, think
from interp.backends.torch_thinker_twins import write_thinker_twin
from interp.errors import InconclusiveError, RequestError
from interp.models import load
from interp.prompts import Prompt, PromptSet
from interp.registry import ModelSpec
from interp.thought_charts import change_chart, cosine_map, direction_map, norm_map
from interp.thought_steering import (
    changes,
    few_of,
    labelled,
    resampled_norms,
    right_answers,
    strata,
    thought_contrast,
    thought_doses,
)
from interp.thoughts import Thinking

WORDS = ("hot", "cold", "big", "small", "France", "Texas")
ASKED = tuple(f"{one} -> {two} , {three}" for one in WORDS for two in WORDS for three in WORDS[:2])


@pytest.fixture(scope="module")
def thinker(tmp_path_factory):
    """A tiny random model that thinks."""
    folder = tmp_path_factory.mktemp("gpt2")
    write_thinker_twin("gpt2", folder, folder, safe=True)
    return load(ModelSpec("tiny", str(folder), is_local=True))


class Half(Thinking):
    """A course of thought in which every third answer is right."""

    def __init__(self, questions):
        object.__setattr__(self, "questions", questions)

    @property
    def prompts(self):
        return self.questions

    @property
    def correct(self):
        return np.arange(len(self.questions)) % 3 == 0


@pytest.fixture(scope="module")
def questions():
    """Questions, two of each group."""
    prompts = (Prompt(text=t, answers=("cold",), group=str(n // 2)) for n, t in enumerate(ASKED))
    return PromptSet("asked", tuple(prompts))


@pytest.fixture(scope="module")
def found(thinker, questions):
    """A contrast of two arbitrary kinds."""
    plain = think(thinker, questions, capture=[fed(), resid_post(0)])
    kind = np.arange(len(questions)) % 3 == 0
    return thought_contrast(thinker, plain, resid_post(0), kind, ~kind)


def test_both_sides_are_balanced_and_share_no_group(questions):
    known = labelled(Half(questions), held=20, at_least=10)
    groups = np.array(questions.groups)
    assert known.right.sum() == known.wrong.sum() > 0
    assert known.held.sum() == 2 * Half(questions).correct[known.held].sum() == 20
    assert set(groups[known.held]).isdisjoint(groups[known.right | known.wrong])


def test_too_few_to_test_on_are_inconclusive(questions):
    with pytest.raises(InconclusiveError, match="too few questions"):
        labelled(Half(questions), held=20, at_least=21)


def test_a_push_is_as_long_as_it_says(thinker, questions, found):
    for unit, sizes in {
        "raw": found.norms,
        "median_norm": [one.median_norm for one in found.each],
    }.items():
        ledger = think(thinker, questions, *found.push(found.own, -2.0, unit=unit)).ledger
        moved = [entry.delta_norm for entry in ledger]
        assert moved == pytest.approx(2 * np.array(sizes), rel=1e-3)


def test_controls_are_as_long_at_each_thought_and_shuffled_alike(found):
    for controls in (found.random(3), found.shuffled(3)):
        assert len(controls) == 3
        for one in controls:
            assert [each.norm for each in one] == pytest.approx(list(found.norms), rel=1e-4)
    other = few_of(found, 5, seed=3)
    assert [one.norm for one in found.like(other)] == pytest.approx(list(found.norms), rel=1e-4)


def test_dose_zero_is_no_edit(thinker, questions, found):
    doses = thought_doses(thinker, questions, found, alphas=(0.0, 5.0), controls=found.random(2))
    plain = think(thinker, questions).correct
    assert np.array_equal(doses.direction[0], plain)
    assert doses.controls.shape == (2, 2, len(questions))
    assert np.array_equal(right_answers(thinker, questions, [()])[0], plain)
    assert change_chart(doses, plain).columns == ("0", "+5")


def test_every_question_changes_one_way():
    rng = np.random.default_rng(0)
    before, after = rng.random((2, 40)) < 0.5
    moved = np.array(list(changes(before, after).values()))
    assert (moved.sum(axis=0) == 1).all()
    assert np.array_equal(changes(before, after)["became right"], after & ~before)


def test_strata_hold_as_many_of_either_kind():
    rng = np.random.default_rng(0)
    sizes, kind = rng.normal(size=400), rng.random(400) < 0.3
    sizes[kind] += 1.0
    ours, theirs = strata(sizes, kind, ~kind)
    assert ours.sum() == theirs.sum() > 50
    assert abs(sizes[ours].mean() - sizes[theirs].mean()) < 0.3 < sizes[kind].mean()


def test_of_few_it_is_longer_and_samples_spread(found):
    assert len(few_of(found, 5).each[0].positive) == 5
    drawn = resampled_norms(found, 10)
    assert drawn.shape == (10, 6)
    assert (np.ptp(drawn, axis=0) > 0).all()


def test_charts_show_each_layer_and_thought(found):
    assert norm_map([found, found]).rows == ("0", "0")
    assert len(direction_map(found, dimensions=7).columns) == 7
    assert cosine_map(found).panels[0].cells[2][2] == pytest.approx(1.0)


def test_a_site_that_was_not_captured_has_no_contrast(thinker, questions):
    plain = think(thinker, questions)
    with pytest.raises(RequestError, match="not captured"):
        thought_contrast(thinker, plain, fed(), plain.correct, ~plain.correct)
