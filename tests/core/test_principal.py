"""Principal components of paired differences, a few pairs at a time, beside those of them all."""

import itertools

import numpy as np
import pytest

from interp import resid_post, run
from interp.directions import mean_differences
from interp.errors import RequestError
from interp.principal import principal_differences
from interp.prompts import Prompt, PromptSet
from interp.streaming import chunks

WORDS = ("capital", "of", "France", "Paris", "hot", "cold", "big", "steal", "car")
SITES = [resid_post(0), resid_post(2)]


def kind(first, n=9):
    """Prompts of 2 to 10 words after a first word."""
    draws = np.random.default_rng(len(first))
    texts = [" ".join([first, *draws.choice(WORDS, 1 + number % 9)]) for number in range(n)]
    return PromptSet(first, tuple(Prompt(text=text) for text in texts))


def values(model, prompts, site):
    return run(model, prompts, capture=[site])[site, "last"].astype(np.float64)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("tokens", [8, 512])
def test_it_is_the_singular_vector_of_all_differences(llama, monkeypatch, centred, tokens):
    monkeypatch.setattr("interp.streaming.TOKENS", tokens)
    ours = principal_differences(llama, kind("The"), kind("How"), sites=SITES, centred=centred)
    for site in SITES:
        every = values(llama, kind("The"), site) - values(llama, kind("How"), site)
        _, strengths, axes = np.linalg.svd(every - every.mean(axis=0) * centred)
        found = ours[site]
        assert abs(found.direction.unit @ axes[0]) > 1 - 1e-6
        assert found.direction.vector @ every.mean(axis=0) >= 0
        assert found.share == pytest.approx(strengths[0] ** 2 / (strengths**2).sum(), rel=1e-4)
        assert found.direction.norm == pytest.approx(strengths[0] / len(every) ** 0.5, rel=1e-4)


def test_the_other_kind_is_the_other_way(llama):
    there = principal_differences(llama, kind("The"), kind("How"), sites=SITES)
    back = principal_differences(llama, kind("How"), kind("The"), sites=SITES)
    for site in SITES:
        assert there[site].direction.cosine(back[site].direction) == pytest.approx(-1, abs=1e-6)


def test_one_pair_is_its_own_difference_and_has_nothing_else(llama):
    one = kind("The", 1), kind("How", 1)
    (principal,) = principal_differences(llama, *one, sites=SITES[:1]).values()
    (mean,) = mean_differences(llama, *one, sites=SITES[:1]).values()
    np.testing.assert_allclose(principal.direction.vector, mean.vector, rtol=1e-4, atol=1e-6)
    assert principal.share == pytest.approx(1)
    with pytest.raises(RequestError, match="do not vary"):
        principal_differences(llama, *one, sites=SITES[:1], centred=True)


def test_pairs_that_are_no_pairs_are_refused(llama):
    with pytest.raises(RequestError, match="one size"):
        principal_differences(llama, kind("The"), kind("How", 3), sites=SITES)
    with pytest.raises(RequestError, match="disjoint"):
        principal_differences(llama, kind("The"), kind("The"), sites=SITES)


@pytest.mark.parametrize("call", [0, 5, 40])
def test_no_other_chunks_of_neighbours_take_less(monkeypatch, call):
    monkeypatch.setattr("interp.streaming.TOKENS", 40)
    lengths = np.array([3, 30, 8, 9, 41, 12, 3, 8])

    def cost(parts):
        return sum(len(part) * max(part) + call for part in parts)

    ordered, best = sorted(lengths.tolist()), float("inf")
    for cuts in itertools.product([False, True], repeat=len(ordered) - 1):
        places = [0, *(n + 1 for n, cut in enumerate(cuts) if cut), len(ordered)]
        parts = [ordered[low:high] for low, high in itertools.pairwise(places)]
        if all(len(part) == 1 or len(part) * max(part) <= 40 for part in parts):
            best = min(best, cost(parts))
    ours = chunks(lengths, call)
    assert cost([lengths[part].tolist() for part in ours]) == best
    assert sorted(np.concatenate(ours).tolist()) == list(range(8))


def test_memory_does_not_grow_with_the_prompts(llama, monkeypatch):
    seen = []
    forward = llama.backend.forward

    def counted(ids, *args, **kwargs):
        seen.append(len(ids) * max(map(len, ids)))
        return forward(ids, *args, **kwargs)

    monkeypatch.setattr("interp.streaming.TOKENS", 64)
    monkeypatch.setattr(llama.backend, "forward", counted)
    for work in (principal_differences, mean_differences):
        seen.clear()
        work(llama, kind("The", 90), kind("How", 90), sites=SITES)
        assert max(seen) <= 64
        assert len(seen) > 10
