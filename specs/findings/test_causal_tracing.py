"""The last token of a subject carries what is known of it, at early and middle layers.

Noise in the embeddings of "Uzbekistan" makes "Tashkent" unlikely; one clean state put back makes it
likely again. In GPT-2-XL the state of the subject's last token in the first half of the blocks does
so more than that of any token but the prompt's last. A layer is chosen for each token on half of
the prompts and tested on the other; another prompt's clean state has the same choice.

Source:  Meng et al. 2022, "Locating and Editing Factual Associations in GPT", arXiv:2202.05262.
Differs: our prompts and models, so that values compare in sign only; exact sign tests with Holm;
         the null. Quick has 2 draws of noise instead of the paper's 10, and each second layer.
"""

import pytest

from interp import run
from interp.stats import average, halves, holm, sign_test
from interp.tracing import Restored, corruption, roles, subject_lengths, trace, trace_map

SOURCE = "Meng et al. 2022, arXiv:2202.05262"
LAST = "last subject token"


@pytest.fixture(scope="module", params=["capital", "landmark"])
def sides(model, request, country_capitals, two_hop):
    """Facts that are known, of subjects of several tokens; and, row by row, others."""
    if request.param == "capital":  # in this wording words stand between the country and the end
        asked = kept = country_capitals.only(split="dev")
        least = 3
    else:
        asked = two_hop.only(split="test", kind="country", relation="capital")
        kept, least = asked.first_hop, 2
    knows = run(model, kept).correct & (subject_lengths(model, kept) >= least)
    others = asked.where(knows, at_least=30).derange(seed=0)
    return kept.where(knows), others if request.param == "capital" else others.first_hop


@pytest.fixture(scope="module")
def traced(model, sides, profile):
    """The indirect effects of the stream at each token, and at the last one of another prompt's."""
    (facts, others), layers = sides, model.layers[:: profile.pick(quick=2, full=1)]
    noise = corruption(model, facts, draws=profile.pick(quick=2, full=10), seed=0)
    tokens = roles(model, facts)
    last = Restored({LAST: tokens[LAST]}, layers)
    return {
        "own": trace(model, facts, noise, Restored(tokens, layers)),
        "another": trace(model, facts, noise, last, donors=others),
    }


@pytest.fixture
def held_out(model, sides):
    """From a trace and a token to the effects on one half, at the layer that the other chose."""
    chosen, tested = halves([one.content for one in sides[0].prompts], seed=0)
    half = model.n_layers / 2
    return lambda one, role: one.best(role, chosen, below=half)[tested]


@pytest.mark.finding("causal-tracing.subject", version=1, source=SOURCE)
def test_the_clean_subject_gives_more_back_than_another_prompt_s(traced, held_out, measured):
    measured("total", average(traced["own"].total), published="rome.gpt2xl.ate")
    own, another = (held_out(one, LAST) for one in traced.values())
    measured("indirect", average(own), published="rome.gpt2xl.aie")
    measured("indirect_of_another", average(another))
    test = sign_test(own - another)
    assert measured("sign_p", test.p, n=test.n, unit="p") < 0.01


@pytest.mark.finding("causal-tracing.last-subject-token", version=1, source=SOURCE)
def test_the_last_subject_token_gives_back_most(traced, held_out, measured, drawn):
    own, tests = traced["own"], []
    drawn("map", trace_map("Causal tracing: the stream after a block", {"": own}))
    for role in own.states.at:
        measured("indirect", average(held_out(own, role)), token=role)
        if role not in (LAST, "last token"):
            tests.append(sign_test(held_out(own, LAST) - held_out(own, role)))
    p = holm([test.p for test in tests])
    assert measured("holm_p", float(p.max()), n=tests[0].n, unit="p") < 0.01
