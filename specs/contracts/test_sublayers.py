"""What attention and MLP add, with the embedding, is the stream; and each is read as it would be.

The stream read as a list of sites is the logit lens, bit for bit; a sublayer's reading is that of
what it adds, in its own place of the result.

Source: contract of `interp.sublayers` and `interp.depths.read_sites`; Elhage et al. 2021, "A
Mathematical Framework for Transformer Circuits".
"""

import numpy as np
import pytest

from interp import PromptSet, embed, logit_lens, relative_error, resid_post, rounding, run
from interp.depths import read_sites
from interp.errors import RequestError
from interp.prompts import Prompt
from interp.readers import Ranks, Reader
from interp.sites import attn_out, final_norm, mlp_out
from interp.sublayers import first_tokens, project_sublayers

pytestmark = pytest.mark.contract("lens")
ANSWERS = {"The capital of France is": "Paris", "Germany is": "Berlin", "The dog and": "the"}
SITES = (attn_out, mlp_out)


@pytest.fixture
def prompts(model):
    """Prompts of several lengths with one answer each, right or not."""
    for name in {"attn_out", "mlp_out"} & model.backend.info.refused.keys():
        pytest.skip(model.backend.info.refused[name])
    texts = tuple(Prompt(text=text, answers=(answer,)) for text, answer in ANSWERS.items())
    return PromptSet("answers", texts)


def test_all_that_is_added_sums_to_the_last_stream(model, prompts):
    added = [site(layer) for layer in model.layers for site in SITES]
    last = resid_post(model.layer("last"))
    stream = run(model, prompts, capture=[embed(), last, *added])
    sums = sum(stream[site].astype(np.float64) for site in added)
    assert relative_error((sums + stream[embed()]).astype(np.float32), stream[last]) < rounding(
        model
    )
    assert relative_error(sums.astype(np.float32), stream[last]) > 2 * rounding(model)


def test_the_stream_read_as_sites_is_the_lens(model, prompts):
    sites = [embed(), *map(resid_post, model.layers)]
    read = Ranks((first_tokens(model, prompts),))
    found = read_sites(model, prompts, sites, read=read, at="last")
    assert np.array_equal(found[..., 0], logit_lens(model, prompts).ranks)


@pytest.mark.parametrize("place", [0, 1])
def test_a_sublayer_is_read_as_what_it_adds(model, prompts, place):
    sites = [SITES[place](layer) for layer in model.layers]
    plain, all_logits = run(model, prompts, capture=sites), Reader("all", lambda it, *_: it, ())
    for site in sites:
        found = read_sites(model, prompts, [site], read=all_logits, at="last")[:, 0]
        alone = model.backend.unembed(plain[site, "last"])
        assert relative_error(found, alone) < rounding(model)


@pytest.mark.parametrize(("place", "name"), [(0, "attention"), (1, "mlp")])
def test_each_rank_stands_in_its_own_place(model, prompts, place, name):
    targets = {"right": prompts, "turned": PromptSet("turned", prompts.prompts[::-1])}
    tokens = {key: first_tokens(model, one) for key, one in targets.items()}
    found = project_sublayers(model, prompts, tokens)
    for key, read in ((key, Ranks((known,))) for key, known in tokens.items()):
        sites = [SITES[place](layer) for layer in model.layers]
        alone = read_sites(model, prompts, sites, read=read, at="last")[..., 0].T
        assert all((found.among(key, name, top) == (alone < top)).all() for top in (1, 9, 99, 999))


def test_what_is_behind_the_final_norm_is_refused(model, prompts):
    with pytest.raises(RequestError, match="before the final norm"):
        read_sites(model, prompts, [final_norm()], read=Ranks((first_tokens(model, prompts),)))
