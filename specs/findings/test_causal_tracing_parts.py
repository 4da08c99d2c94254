"""At a subject's last token MLPs give back more of a fact than attention does.

The states that a few MLPs in a row add there, clean, undo noise in the subject's embeddings more
than what as many attentions add; at the prompt's last token it is the other way round. A window is
chosen for each on half of the prompts, in the first half of the blocks (for the last token: in any
block), and tested on the other, on the same prompts and noise.

Source:  Meng et al. 2022, "Locating and Editing Factual Associations in GPT", arXiv:2202.05262.
Differs: a window of as large a share of the blocks as the paper's 10 of 48; our prompts and models,
         so that values compare in sign only; exact sign tests. Quick has 2 draws of noise instead
         of 10, and windows that lie side by side.
"""

import pytest

from interp import run
from interp.stats import average, halves, sign_test
from interp.tracing import (
    Restored,
    corruption,
    roles,
    subject_lengths,
    trace,
    trace_map,
    window_like_the_paper_s,
)

SOURCE = "Meng et al. 2022, arXiv:2202.05262"
PUBLISHED = {"mlp_out": "rome.gpt2xl.mlp", "attn_out": "rome.gpt2xl.attn"}


@pytest.fixture(scope="module", params=["capital", "landmark"])
def facts(model, request, country_capitals, two_hop):
    """Facts that are known, of subjects of several tokens."""
    places = two_hop.only(split="test", kind="country", relation="capital").first_hop
    countries = country_capitals.only(split="dev")  # words stand between the country and the end
    asked, least = {"capital": (countries, 3), "landmark": (places, 2)}[request.param]
    several = subject_lengths(model, asked) >= least
    return asked.where(several & run(model, asked).correct, at_least=30)


@pytest.fixture(scope="module")
def traced(model, facts, profile):
    """The indirect effects of windows of MLPs and of attentions."""
    size = window_like_the_paper_s(model)
    noise = corruption(model, facts, draws=profile.pick(quick=2, full=10), seed=0)
    layers = model.layers[profile.pick(quick=size // 2, full=0) :: profile.pick(quick=size, full=1)]
    cells = [Restored(roles(model, facts), layers, kind, size) for kind in PUBLISHED]
    return {one.kind: trace(model, facts, noise, one) for one in cells}


@pytest.fixture
def held_out(facts):
    """From a trace and a token to the effects on one half, at the layer that the other chose."""
    chosen, tested = halves([one.content for one in facts.prompts], seed=0)
    return lambda one, role, below: one.best(role, chosen, below=below)[tested]


@pytest.mark.finding("causal-tracing.mlp", version=1, source=SOURCE)
def test_at_the_subject_mlps_give_back_more(model, traced, held_out, measured, drawn):
    drawn("map", trace_map("Causal tracing: windows of MLPs and of attentions", traced))
    half, effects = model.n_layers / 2, {}
    for kind, one in traced.items():
        effects[kind] = held_out(one, "last subject token", half)
        measured("indirect", average(effects[kind]), site=kind, published=PUBLISHED[kind])
    test = sign_test(effects["mlp_out"] - effects["attn_out"])
    assert measured("sign_p", test.p, n=test.n, unit="p") < 0.01


@pytest.mark.finding("causal-tracing.attention", version=1, source=SOURCE)
def test_at_the_last_token_attention_gives_back_more(model, traced, held_out, measured):
    effects = {kind: held_out(one, "last token", model.n_layers) for kind, one in traced.items()}
    for kind, each in effects.items():
        measured("indirect", average(each), site=kind)
    test = sign_test(effects["attn_out"] - effects["mlp_out"])
    assert measured("sign_p", test.p, n=test.n, unit="p") < 0.01
