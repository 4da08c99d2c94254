"""The direction of right answers is longer than chance makes it, and longest at the last thought.

A mean difference of few questions is long by chance alone: the null is that of shuffled labels, not
zero. So a norm that shrinks with more questions, as the document on LLaMA has it, says that there
were few, and nothing about a direction.

Source:  "GPT-2 Activation Steering Experiment", 2025-10-21, token magnitudes and heat map; the same
         on LLaMA-3.2-1B, norms of a small and a full set.
Differs: shuffled labels beside every norm; a bootstrap for which thought has the longest; norms in
         units of the site's beside those in its own.
"""

import numpy as np
import pytest

from interp import resid_post, think
from interp.stats import Estimate, average, holm, rank_in_null
from interp.thought_charts import cosine_map, direction_map, norm_map
from interp.thought_steering import few_of, labelled, resampled_norms, thought_contrast

pytestmark = [pytest.mark.on("tag:thoughts")]
SOURCE = "GPT-2 Activation Steering Experiment, 2025-10-21"
LLAMA = "LLaMA-3.2-1B Activation Steering Experiment - Full Dataset, 2025-10-21"
DEPTHS = {"early": 0.25, "middle": 0.5, "late": 0.87}
FEW, DRAWS, SHUFFLES = 8, 20, 200


@pytest.fixture(scope="module")
def contrasts(model, word_problems):
    """The contrast of right and wrong questions at every layer: of all, for it takes that many."""
    asked, sites = word_problems.only(split="test"), [*map(resid_post, model.layers)]
    plain = think(model, asked, capture=sites)
    known = labelled(plain, held=80)
    return [thought_contrast(model, plain, site, known.right, known.wrong) for site in sites]


@pytest.mark.finding("codi.direction.not-chance", version=1, source=SOURCE)
def test_at_every_thought_it_is_longer_than_chance(model, contrasts, measured, drawn):
    middle = contrasts[model.layer("middle")]
    p_values = []
    for step, (one, norm) in enumerate(zip(middle.each, middle.norms, strict=True)):
        name = f"s001.norm.{step}"
        measured("norm", float(norm), n=2 * len(one.positive), thought=step, published=name)
        chance = one.shuffled_norms(SHUFFLES, seed=0)
        measured("norm_by_chance", float(np.median(chance)), n=SHUFFLES, thought=step)
        p_values.append(rank_in_null(norm, chance).p)
    measured("norm_of_all", float(np.linalg.norm(middle.norms)), published="s001.norm.all")
    drawn("norms", norm_map(contrasts))
    drawn("direction", direction_map(middle))
    assert measured("worst_holm_p", float(holm(p_values).max()), n=SHUFFLES, unit="p") < 0.05


@pytest.mark.finding("codi.direction.last-longest", version=1, source=SOURCE)
def test_the_last_thought_has_the_longest(model, contrasts, measured, drawn):
    middle = contrasts[model.layer("middle")]
    drawn("cosines", cosine_map(middle))
    norms = resampled_norms(middle, SHUFFLES)
    apart = norms[:, -1] - norms[:, :-1].max(axis=1)
    low, high = np.quantile(apart, (0.025, 0.975))
    longer = Estimate(float(np.median(apart)), float(low), float(high), SHUFFLES)
    assert measured("last_less_longest_other", longer, unit="norm").low > 0


@pytest.mark.finding("codi.direction.shrinks", version=1, source=LLAMA)
@pytest.mark.parametrize("depth", DEPTHS)
def test_of_few_questions_it_is_longer(model, contrasts, measured, depth):
    whole = contrasts[model.layer(DEPTHS[depth])]
    few = [few_of(whole, FEW, seed=seed) for seed in range(DRAWS)]
    ours = float(np.linalg.norm(whole.norms))
    longer = average(np.array([np.linalg.norm(one.norms) for one in few]))
    measured("norm", ours, n=2 * len(whole.each[0].positive), published=f"s000.norm.{depth}")
    measured("norm_of_few", longer, published=f"s000.norm.small.{depth}")
    for size, found in {"all": whole, "few": few[0]}.items():
        chance = [one.shuffled_norms(SHUFFLES, seed=0) for one in found.each]
        shuffled = float(np.median(np.linalg.norm(chance, axis=0)))
        measured("norm_by_chance", shuffled, n=SHUFFLES, questions=size)
    assert longer.low > ours
