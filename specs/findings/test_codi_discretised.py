"""Thoughts are more than the words they are closest to, and the words are more than any words.

Every thought is replaced by a word's embedding, as long as the thought was: the word that the lens
finds likeliest, the word that lies closest, or any. Were thoughts words, the first changed nothing.

Source:  Shen et al. 2025, "CODI", arXiv:2502.21074v3, Section 5.1.
Differs: words are put in, at all six thoughts, not only read out; a random word is the null.
"""

from operator import attrgetter

import numpy as np
import pytest

from interp import fed, resid_post, think
from interp.charts import Forest, Interval, Row
from interp.norms import scaled
from interp.stats import mcnemar, proportion
from interp.thought_sweeps import think_sweep
from interp.thoughts import N_THOUGHTS, read_thoughts, word_vectors
from interp.transplants import thoughts_of, transplant

pytestmark = [pytest.mark.on("tag:thoughts")]
CORRECT, SOURCE = attrgetter("correct"), "CODI, arXiv:2502.21074v3, Section 5.1"


@pytest.fixture(scope="module")
def questions(word_problems, profile):
    """Questions whose arithmetic no training saw."""
    test = word_problems.only(split="test")
    return test.where(np.arange(len(test)) < profile.pick(quick=300, full=1200))


@pytest.fixture(scope="module")
def words(model, questions):
    """A word for each thought of each question, in three ways: tokens, [thought, batch]."""
    fed_ones = thoughts_of(model, questions, [fed()])[fed()]
    last = resid_post(model.layer("last"))
    lens = read_thoughts(model, think(model, questions, capture=[last]))[:, :N_THOUGHTS]
    every = word_vectors(model, range(lens.shape[-1]))
    near = fed_ones @ (every / np.linalg.norm(every, axis=1, keepdims=True)).T
    any_word = np.random.default_rng(0).integers(len(every), size=near.shape[:2])
    return {"likeliest": lens.argmax(-1).T, "closest": near.argmax(-1), "random": any_word}


@pytest.fixture(scope="module")
def hits(model, questions, words):
    """Which questions are answered, with thoughts and with words in their place."""
    own = thoughts_of(model, questions, [fed()])[fed()]
    edits = [()]
    for tokens in words.values():
        vectors = word_vectors(model, tokens.ravel().tolist()).reshape(own.shape)
        edits.append(transplant(fed(), {fed(): scaled(vectors, own)}, range(N_THOUGHTS)))
    found = think_sweep(model, questions, edits, read=CORRECT).values
    return dict(zip(("thoughts", *words), found, strict=True))


def chart(shares):
    """Each way's share, with its interval."""
    rows = [Row("fed", name, Interval(one.mean, one.low, one.high, one.n)) for name, one in shares]
    note = "Six thoughts or as many words. Bars: 95 % Wilson intervals."
    return Forest("Words in the place of thoughts", note, "share answered", tuple(rows))


@pytest.mark.finding("codi.thoughts-as-words", version=1, source=SOURCE)
@pytest.mark.parametrize("way", ["likeliest", "closest"])
def test_the_words_of_thoughts_answer_more_than_random_words(hits, measured, drawn, way):
    shares = [(name, proportion(each)) for name, each in hits.items()]
    for name, share in shares:
        measured("accuracy", share, fed=name)
    drawn("words", chart(shares))
    test = mcnemar(hits[way], hits["random"])
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01


@pytest.mark.finding("codi.thoughts-more-than-words", version=1, source=SOURCE)
def test_thoughts_answer_more_than_their_words(hits, measured):
    test = mcnemar(hits["thoughts"], hits["likeliest"])
    measured("lost", test.effect, n=test.n)
    assert measured("mcnemar_p", test.p, n=test.n, unit="p") < 0.01
