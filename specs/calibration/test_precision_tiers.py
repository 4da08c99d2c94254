"""What fewer bits cost, as a table: bfloat16, 8 and 4 bits beside the model in float32, on MLX.

Teacher-forced loss of the right answers, divergence from the float32 model, and a finding-level
number: how many questions are answered. A tier may miss the answers that float32's own interval
lets it miss, and no more. The bite: fewer bits diverge further.

Source: mlx_lm.convert, which packs; nothing is packed by this library.
Differs: packed weights compute in float32 here, so that the bits are all that is different.
"""

import numpy as np
import pytest

from interp import run
from interp.metrics import kl_divergence, probability
from interp.stats import proportion
from interp.tiers import TIERS

pytestmark = [pytest.mark.calibration]


@pytest.fixture(scope="module")
def answered(tier, country_capitals):
    asked, runs = country_capitals.only(split="test"), {}
    for name in TIERS:
        one = tier(name)
        runs[name] = run(one, asked), set(one.backend.info.refused)
        one.close()
    return runs


def test_fewer_bits_answer_within_the_interval_of_all(answered, measured):
    whole = answered["float32"][0]
    allowed = proportion(whole.correct)
    for name, (said, _) in answered.items():
        nll = -np.log(probability(said.next_logits, said.encoded.answers)).mean()
        measured("nll", float(nll), unit="nat", tier=name)
        divergence = kl_divergence(whole.next_logits, said.next_logits).mean()
        measured("kl_from_float32", float(divergence), unit="nat", tier=name)
        rate = measured("answered", proportion(said.correct), tier=name)
        assert allowed.low <= rate.mean <= allowed.high


@pytest.mark.parametrize("tier_name", ["8 bits", "4 bits"])
def test_packing_costs_no_site(answered, tier_name):
    assert answered[tier_name][1] == answered["float32"][1]


def test_fewer_bits_diverge_further(answered):
    whole = answered["float32"][0].next_logits
    names = ("float32", "8 bits", "4 bits")
    kls = [kl_divergence(whole, answered[name][0].next_logits).mean() for name in names]
    assert kls[0] < 1e-9 < kls[1] < kls[2]
