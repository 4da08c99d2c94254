"""Models know the two hops of a question more often than they put them together.

Each hop is asked alone, then both in one question. What is left for a study of hopping are the
questions whose hops are both right and which neither shortcut answers: the second relation of the
first entity, and the relations without an entity.

Source:  Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2, and its code's filter.
Differs: questions of the shipped world by its columns, or a table named with --prompts; beside the
         paper's lenient metric (an answer anywhere in ten tokens) the next token, and whole words;
         the second shortcut ends as the question does. Numbers after each step of the filter.
"""

import pytest

from interp.stats import mcnemar, proportion
from interp.two_hop import generation, known_hops, next_token, whole_words
from interp.two_hop_tables import balanced

METRICS = {"next token": next_token, "generation": generation, "whole words": whole_words}


@pytest.fixture
def asked(hops, profile):
    """So many questions of each kind of bridge, as the paper balances them."""
    return balanced(hops, most=profile.pick(quick=50, full=500))


@pytest.mark.finding("two-hop.known-not-composed", version=1, source="arXiv:2406.12775v2")
@pytest.mark.parametrize("metric", METRICS)
def test_both_hops_are_known_more_often_than_composed(model, asked, metric, measured):
    answered = known_hops(model, asked, right=METRICS[metric])
    for stage, left in answered.stages.items():
        measured("left", proportion(left), stage=stage)
    measured("composed", proportion(answered.whole))
    measured("by_entity_shortcut", proportion(answered.by_entity))
    measured("by_relation_shortcut", proportion(answered.by_relation))
    test = mcnemar(answered.known, answered.whole)
    p = measured("mcnemar_p", test.p, n=test.n, unit="p")
    assert p < 0.01
