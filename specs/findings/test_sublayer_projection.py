"""Attention or MLP: which of them says the answer at the last position.

What each sublayer adds to the stream at the last token is read by itself, through the final norm
and the unembedding. If a sublayer fetches the answer, the answer is at the top of what it adds; the
answer of another question is not. Of two-hop questions the bridge is looked for as well.

Source:  Geva et al. 2023, "Dissecting Recall", arXiv:2304.14767, who find that it is attention;
         two-hop questions as in Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2.
Differs: the answer instead of the model's own prediction, of questions that are answered, which is
         the same; layers chosen on half of the groups and tested on the other; another question's
         answer as chance; exact paired tests.
"""

import pytest

from interp import run
from interp.stats import halves, mcnemar, proportion
from interp.sublayers import SUBLAYERS, first_tokens, project_sublayers

SOURCE = "sublayer projections, arXiv:2304.14767; Hopping Too Late, arXiv:2406.12775v2"
TOP = 10
CHANCE = "another's answer"


@pytest.fixture(params=["capitals", "both hops"])
def projected(model, request, country_capitals, two_hop, drawn):
    """The sublayers of questions that are answered, and the halves of these."""
    hops = request.param == "both hops"
    asked = (two_hop if hops else country_capitals).only(split="test")
    prompts = asked.where(run(model, asked).correct, at_least=40)
    # Capitals are grouped by continent: too few to halve.
    groups = prompts.groups if hops else [one.spans["e1"] for one in prompts.prompts]
    targets = {"answer": prompts, CHANCE: prompts.derange(seed=0)}
    if hops:
        targets |= {"bridge": prompts.first_hop}
    tokens = {name: first_tokens(model, one) for name, one in targets.items()}
    found = project_sublayers(model, prompts, tokens)
    drawn("sublayers", found.chart(CHANCE))
    return found, *halves(groups, seed=0)


@pytest.mark.finding("sublayers.say-the-answer", version=1, source=SOURCE)
@pytest.mark.parametrize("sublayer", SUBLAYERS)
def test_a_sublayer_says_the_answer(projected, sublayer, measured):
    found, chosen, tested = projected
    best = measured("layer", found.best("answer", sublayer, chosen), unit="layer")
    for name in found.ranks:
        for top in (1, TOP):
            hits = found.among(name, sublayer, top)[best, tested]
            measured("share", proportion(hits), target=name, top=top)
    says, by_chance = (found.among(n, sublayer)[best, tested] for n in ("answer", CHANCE))
    p = measured("mcnemar_p", mcnemar(says, by_chance).p, n=len(says), unit="p")
    assert p < 0.01


@pytest.mark.finding("sublayers.attention-extracts", version=1, source=SOURCE)
def test_attention_says_it_more_often_than_the_mlp(projected, measured):
    found, chosen, tested = projected
    says = {
        one: found.among("answer", one)[found.best("answer", one, chosen), tested]
        for one in SUBLAYERS
    }
    somewhere = {one: found.among("answer", one).any(axis=0) for one in SUBLAYERS}
    for one in SUBLAYERS:
        measured("on_top", proportion(says[one]), sublayer=one)
        measured("on_top_somewhere", proportion(somewhere[one]), sublayer=one)
    measured("p_somewhere", mcnemar(*somewhere.values()).p, n=len(tested), unit="p")
    p = measured("mcnemar_p", mcnemar(*says.values()).p, n=int(tested.sum()), unit="p")
    assert p < 0.01
