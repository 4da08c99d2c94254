"""What is put in for thoughts, and what thoughts show: the parts that need no model."""

import numpy as np
import pytest

from interp.charts import describe
from interp.errors import InconclusiveError
from interp.norms import noise_like
from interp.outcomes import outcomes
from interp.prompts import Prompt, PromptSet
from interp.sites import resid_post
from interp.stats import proportion
from interp.thought_lens import Shown
from interp.transplants import (
    Pairs,
    estimate_curves,
    mean_like,
    outcome_bars,
    same_answer,
    transplant,
)

SITE = resid_post(1)


def questions(*answers):
    prompts = [Prompt(text=f"q{n} {a}", answers=(a,), group=f"g{n}") for n, a in enumerate(answers)]
    return PromptSet("questions", tuple(prompts))


@pytest.fixture
def donor():
    return {SITE: np.random.default_rng(0).normal(size=(6, 5, 8)).astype(np.float32)}


def test_noise_is_as_long_and_points_elsewhere(donor):
    own, noise = donor[SITE], noise_like(donor, seed=1)[SITE]
    lengths = [np.linalg.norm(one, axis=-1) for one in (own, noise)]
    assert np.allclose(*lengths, rtol=1e-5)
    assert np.abs((own * noise).sum(-1) / lengths[0] ** 2).mean() < 0.6
    assert not np.array_equal(noise, noise_like(donor, seed=2)[SITE])


def test_a_mean_is_one_for_all_questions_and_of_each_thought(donor):
    mean = mean_like(donor)[SITE]
    assert np.allclose(mean[:, 0], donor[SITE].mean(axis=1))
    assert np.array_equal(mean[:, 0], mean[:, 4])


def test_a_transplant_writes_each_step_where_it_was(donor):
    edits = transplant(SITE, donor, [4, 1])
    assert [edit.at.name for edit in edits] == ["1", "4"]
    assert all(np.array_equal(e.vector, donor[SITE][int(e.at.name)]) for e in edits)


def test_another_question_with_the_same_answer_is_another_one():
    pool = questions("3", "5", "3", "5")
    found = same_answer(pool, pool)
    assert [one.answers for one in found.prompts] == [one.answers for one in pool.prompts]
    assert all(a.group != b.group for a, b in zip(found.prompts, pool.prompts, strict=True))
    lonely = questions("3", "5", "3")
    with pytest.raises(InconclusiveError, match="no other with the same answer"):
        same_answer(lonely, lonely)
    assert len(Pairs(lonely, lonely).with_namesakes(lonely)) == 2


def test_charts_say_what_they_show():
    clean, corrupted = ["1", "2", "3"], ["4", "5", "6"]
    both = {
        n: outcomes(["is 1", "is 5", text], clean, corrupted) for n, text in ((1, "a"), (2, "9"))
    }
    bars = outcome_bars("Patched", "N", both)
    assert [part.sizes[0] for part in bars.parts] == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3, 0])
    shares = {n: proportion(one.are("clean")) for n, one in both.items()}
    curves = estimate_curves("Clean", "N", {"own": shares})
    assert "own" in describe(curves)
    assert next(curves.lines()).ends()[0] == (shares[1].low, shares[1].high)


def test_what_is_shown_is_asked_of_permuted_questions_too():
    words = np.zeros((40, 3, 2), dtype=bool)
    own = np.arange(40) % 2
    words[np.arange(40), 1, own] = True
    shown, chosen = Shown(words, own), np.arange(40) < 20
    assert shown.by_any.all()
    assert shown.best(chosen) == 1
    assert shown.by_chosen(chosen).all()
    null = [one.by_any.mean() for one in shown.permuted(50, seed=0)]
    assert 0.3 < np.mean(null) < 0.7
