"""The bridge comes up before the answer, and it comes up where the first entity stands.

In "The capital of the state containing Dallas is", Texas is among the likeliest tokens at an early
depth and Austin at a later one: two hops in turn. Only questions that pass the filter count.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, section 2.1 (top
         30, last token, six prompts); positions of Biran et al. 2024, arXiv:2406.12775v2.
Differs: any alias's first token; the bridge also at t1, the end of the first entity; top 1 beside
         top 30; what never comes up is counted, not left out; and each share stands beside the same
         with a stranger's bridge and the own answer: of frequent tokens one is always early.
         Intervals resample bridges.
"""

import pytest

from interp.stats import clustered, proportion
from interp.two_hop import known_hops
from interp.two_hop_depths import PLACES, hop_depths, mean_where_known
from interp.two_hop_tables import balanced

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27, section 2.1"


@pytest.fixture(scope="module")
def left(model, hops, profile):
    """The questions that pass the filter."""
    asked = balanced(hops, most=profile.pick(quick=150, full=500))
    return known_hops(model, asked).left(at_least=40)


@pytest.fixture
def depths(model, left, k):
    """Where each question's bridge and answer come up, and strangers' do."""
    return hop_depths(model, left, k=k)


@pytest.mark.finding("two-hop.bridge-first", version=1, source=SOURCE, scales=("sequential",))
@pytest.mark.parametrize("k", [30, 1])
@pytest.mark.parametrize("bridge_at", PLACES)
def test_the_bridge_comes_up_before_the_answer(depths, bridge_at, measured, drawn):
    bridges = depths.prompts.groups
    drawn("depths", depths.chart())
    measured("bridges", len(set(bridges)), unit="count")
    for entity, at in (("bridge", bridge_at), ("answer", "last")):
        measured("unresolved", proportion(~depths.resolved(entity, at)), entity=entity)
    null = depths.sequential_by_chance(bridge_at).mean(axis=0)
    own = depths.sequential(bridge_at)
    measured("sequential", clustered(own, bridges), published="s003.twohop.sequential.9b")
    measured("sequential_null", clustered(null, bridges))
    gain = measured("sequential_over_null", clustered(own - null, bridges))
    assert gain.low > 0


@pytest.mark.finding("two-hop.gap", version=1, source=SOURCE, scales=("gap", "gap_relative"))
@pytest.mark.parametrize("k", [30])
@pytest.mark.parametrize("bridge_at", PLACES)
def test_the_gap_is_wider_than_a_stranger_s(depths, bridge_at, measured):
    bridges = depths.prompts.groups
    own, null = depths.gap(bridge_at), depths.gap_by_chance(bridge_at)
    gap = mean_where_known(own, bridges)
    measured("gap", gap, unit="layers", published="s003.twohop.gap.9b")
    measured("gap_relative", mean_where_known(own / depths.n_layers, bridges))
    measured("gap_null", mean_where_known(null, bridges), unit="layers")
    gain = measured("gap_over_null", mean_where_known(own - null, bridges), unit="layers")
    assert gain.needs(20).low > 0


@pytest.mark.finding("two-hop.bridge-at-subject", version=1, source="arXiv:2406.12775v2")
@pytest.mark.parametrize("k", [30])
def test_the_bridge_comes_up_earlier_at_its_subject(depths, measured):
    bridges, late = depths.prompts.groups, {}
    for at in PLACES:
        by_chance = depths.of_strangers("bridge", at).mean(axis=0)
        measured("resolved", clustered(depths.resolved("bridge", at), bridges), at=at)
        null = depths.resolved_by_chance("bridge", at).mean(axis=0)
        measured("resolved_null", clustered(null, bridges), at=at)
        measured("depth", clustered(depths.of("bridge", at), bridges), unit="layers", at=at)
        late[at] = depths.of("bridge", at) - by_chance
    gain = clustered(late["last"] - late["e1"], bridges)
    assert measured("earlier_over_null", gain, unit="layers").low > 0
