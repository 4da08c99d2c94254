"""Three ways to find an effect of steering where there is none, and what each gives done right.

Questions that are in the fit as well as in the test separate along a direction of labels that were
drawn by lot; so do repeated questions that are split by an id of their own. Five random directions
cannot say p < 0.05, whatever they show. And random directions that are as long in total are longer
than the direction where it acts, if its longest part does not.

Source: "GPT-2 Activation Steering Experiment" and the same on LLaMA-3.2-1B, both 2025-10-21: 500
questions under 532 ids, five random directions of one total norm, norms of six thoughts.
"""

import numpy as np
import pytest

from interp import resid_post
from interp.directions import Contrast
from interp.stats import halves, rank_in_null

pytestmark = [pytest.mark.calibration]
WIDTH, N, TRIES = 128, 40, 200
NORMS = (6.77, 23.89, 14.57, 27.34, 21.48, 37.45)  # at each thought, as the document has them
LEFT, RANDOM = 0.198, (0.314, 0.302, 0.267, 0.209, 0.198)  # accuracies at alpha = -3


def separation(values, labels, fit, test):
    """How far tested questions of two kinds lie apart along the direction of the fitted ones."""
    found = Contrast(values[fit & labels], values[fit & ~labels], resid_post(0), "").direction
    along = values @ found.unit
    return along[test & labels].mean() - along[test & ~labels].mean()


def separations(*, repeated, split_by):
    """The same for labels drawn by lot, with so many questions under two ids, many times over."""
    rng, apart = np.random.default_rng(0), []
    for _ in range(TRIES):
        texts = np.concatenate([np.arange(N), np.arange(repeated)])
        values, lot = rng.normal(size=(N, WIDTH))[texts], (rng.permutation(N) < N // 2)[texts]
        names = texts if split_by == "text" else np.arange(len(texts))
        fit, test = halves([f"{one:03}" for one in names], seed=int(rng.integers(2**31)))
        apart.append(separation(values, lot, fit, test))
    return np.array(apart)


def test_what_was_fitted_separates_by_labels_drawn_by_lot():
    rng, everything = np.random.default_rng(1), np.ones(N, dtype=bool)
    lots = [(rng.normal(size=(N, WIDTH)), rng.permutation(N) < N // 2) for _ in range(TRIES)]
    assert min(separation(*lot, everything, everything) for lot in lots) > 1


@pytest.mark.parametrize("repeated", [0, 30])
def test_split_by_text_nothing_separates_however_many_stand_there_twice(repeated):
    apart = separations(repeated=repeated, split_by="text")
    assert abs(apart.mean()) < 4 * apart.std() / TRIES**0.5


def test_split_by_id_repeated_questions_leak():
    apart = separations(repeated=30, split_by="id")
    assert apart.mean() > 10 * apart.std() / TRIES**0.5


def test_five_controls_cannot_be_beaten():
    assert rank_in_null(-1.0, np.array(RANDOM), tail="less").p == pytest.approx(1 / 6)
    assert rank_in_null(LEFT, np.array(RANDOM), tail="less").p == pytest.approx(1 / 3)
    assert rank_in_null(-1.0, np.tile(RANDOM, 20), tail="less").p == pytest.approx(1 / 101)


def test_a_total_norm_does_not_match_what_acts():
    live = np.linalg.norm(NORMS[:-1])
    flat = np.linalg.norm(NORMS) * (5 / 6) ** 0.5
    each = [
        Contrast(np.ones((1, WIDTH)) * norm, np.zeros((1, WIDTH)), resid_post(0), "")
        for norm in NORMS[:-1]
    ]
    matched = [one.direction.random(1, seed=step)[0].norm for step, one in enumerate(each)]
    assert flat / live == pytest.approx(1.19, abs=0.01)
    assert matched == pytest.approx([one.direction.norm for one in each], rel=1e-5)
