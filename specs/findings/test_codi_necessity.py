"""A model trained to think in vectors needs its thoughts, each question its own.

With fewer thoughts, or with thoughts that say nothing about the question, the answers of a model
that relied on them go wrong. That answers fall without any thought could be the unusual input
alone; so the thoughts are also replaced, at all six steps, by nothing, by their mean, by random
vectors as long as they were, and by those of another question.

Source:  Shen et al. 2025, "CODI", arXiv:2502.21074v3; "LLaMA vs GPT-2 Activation Patching
         Comparison", 2025-10-20, N-token ablation.
Differs: every arm goes through one decoder and the same questions; exact McNemar with Holm.
"""

import numpy as np
import pytest

from interp import fed, patch, think, thought
from interp.stats import holm, mcnemar, proportion
from interp.thought_sweeps import think_sweep
from interp.thoughts import N_THOUGHTS
from interp.transplants import estimate_curves

pytestmark = [pytest.mark.on("tag:thoughts")]
WAYS = ("zero", "mean", "noise", "other")
SOURCE = "CODI, arXiv:2502.21074v3, and LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20"


@pytest.fixture
def questions(word_problems, profile):
    """Questions whose arithmetic no training saw."""
    test = word_problems.only(split="test")
    return test.where(np.arange(len(test)) < profile.pick(quick=240, full=1200))


def replaced(thinking, how):
    """Every thought replaced: nothing, their mean, noise as long as each, another question's."""
    rng = np.random.default_rng(0)
    for step in range(N_THOUGHTS):
        own = thinking[fed(), thought(step)]
        noise = rng.normal(size=own.shape)
        noise *= np.linalg.norm(own, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1)[:, None]
        mean = np.broadcast_to(own.mean(axis=0), own.shape)
        values = {"zero": 0 * own, "mean": mean, "noise": noise, "other": np.roll(own, 1, axis=0)}
        yield patch(fed(), values[how].astype(np.float32), at=thought(step))


@pytest.mark.finding("codi.thoughts-needed", version=1, source=SOURCE)
def test_answers_need_six_thoughts(model, questions, measured, drawn):
    hits = {n: think(model, questions, n_thoughts=n).correct for n in range(N_THOUGHTS + 1)}
    shares = {n: proportion(right) for n, right in hits.items()}
    for n, share in shares.items():
        measured("accuracy", share, n_thoughts=n)
    drawn("counts", estimate_curves("Answered by how many thoughts", "thoughts", {"fed": shares}))
    test = mcnemar(hits[N_THOUGHTS], hits[0])
    p = measured("mcnemar_p", test.p, n=test.n, unit="p")
    assert p < 0.001
    assert hits[0].mean() < hits[N_THOUGHTS].mean() / 2


@pytest.mark.finding("codi.thoughts-specific", version=1, source=SOURCE)
def test_answers_need_the_thoughts_of_their_own_question(model, questions, measured):
    plain = think(model, questions, capture=[fed()])
    measured("accuracy", proportion(plain.correct), thoughts="own")
    p_values = []
    tries = [tuple(replaced(plain, how)) for how in WAYS]
    found = think_sweep(model, questions, tries, read=lambda done: done.correct)
    for how, right in zip(WAYS, found.values, strict=True):
        measured("accuracy", proportion(right), thoughts=how)
        p_values.append(mcnemar(plain.correct, right).p)
    p = measured("worst_p", float(holm(p_values).max()), n=len(questions), unit="p")
    assert p < 0.001
