"""The last lens is the output, the early lens is generic, and what rises is about the country.

The rank of every capital falls with depth, because the lens comes to speak of capitals. So each
answer is set among the answers to all other prompts: a lens that knows nothing of the country puts
it in their middle, at a half, and a stranger's answer shows what depth does to any of them.

Source:  "Experimental Plan V2: Cross-Model Interpretability Study", 2025-12-27, test 0.2; as
         written in `validation.lens.as-written`, on many prompts in `logit-lens`.
Differs: each answer's place among all answers, with a stranger's answer as the null.
"""

import numpy as np
import pytest

from interp import relative_error, rounding, run
from interp.charts import Curves, Line, Plot
from interp.depths import depths, read_depths
from interp.metrics import kl_divergence
from interp.readers import Reader, unembedded
from interp.stats import average, sign_test, trend

SOURCE = "Experimental Plan V2: Cross-Model Interpretability Study, 2025-12-27, test 0.2"
GENERIC = 0.1  # how far from a half the mean place may lie and still be called generic


@pytest.fixture
def asked(country_capitals):
    """The countries that count."""
    return country_capitals.only(split="test")


@pytest.fixture
def places(model, asked):
    """Where its own answer, then a stranger's, stands among all, 0 to 1: [whose, prompt, depth]."""
    firsts = [ids[0] for ids in model.encode(asked).answers]
    every = Reader("every answer", lambda logits, *_: logits[:, firsts].astype(np.float64))
    said, own = read_depths(model, asked, read=every, at="last"), np.arange(len(firsts))
    below = np.sign(said[..., None] - said[..., None, :]).sum(axis=-1) / (len(firsts) - 1)
    return np.stack([0.5 + below[own, :, np.roll(own, by)] / 2 for by in (0, 1)])


def by_depth(up, *lines):
    """A figure by depth."""
    ticks = ("embed", *map(str, range(len(lines[0].x) - 1)))
    note = "Bars and band: 95 % by bootstrap over prompts."
    return Curves(f"Logit lens: {up}", note, "after block", (Plot(up, lines),), ticks)


@pytest.mark.finding("validation.lens.final-is-output", version=1, source=SOURCE)
def test_the_last_lens_is_the_output_and_the_one_before_is_not(model, asked, measured, drawn):
    sites = depths(model)
    plain = run(model, asked, capture=sites)
    read = [unembedded(model, plain[site, "last"]) for site in sites]
    apart = [average(kl_divergence(plain.next_logits, one)) for one in read]
    lens = Line.of("lens", range(len(sites)), apart)
    drawn("divergence", by_depth("KL from the output, nats", lens))
    measured("kl_before_last_block", apart[-2], unit="nats")
    before, after = (relative_error(one, plain.next_logits) for one in read[-2:])
    measured("error_before_last_block", before)
    assert measured("error_after_last_block", after) < rounding(model) < before


@pytest.mark.finding("validation.lens.generic-early", version=1, source=SOURCE)
def test_after_the_first_block_an_answer_stands_in_the_middle_of_all(places, measured):
    early = measured("place_of_answer", average(places[0, :, 1]).needs(50), depth="first block")
    late = measured("place_of_answer", average(places[0, :, -1]), depth="last block")
    assert 0.5 - GENERIC < early.low <= early.high < 0.5 + GENERIC < late.low


@pytest.mark.finding("validation.lens.refines", version=1, source=SOURCE)
def test_its_own_answer_rises_among_all_and_a_stranger_s_does_not(places, measured, drawn):
    own, stranger = map(trend, places)
    x, (rises, stays) = range(places.shape[2]), ([average(at) for at in one.T] for one in places)
    lines = Line.of("a stranger's", x, stays, "control"), Line.of("its own", x, rises)
    drawn("places", by_depth("place among all answers", *lines))
    measured("tau_of_place", average(own).needs(50))
    measured("tau_of_stranger_s_place", average(stranger))
    test = sign_test(own - stranger)
    assert measured("sign_test_p", test.p, n=test.n, unit="p") < 0.001
