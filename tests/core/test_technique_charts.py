"""Each technique's own figure: what stands in it is what the technique found."""

import numpy as np
import pytest

from interp import back_patch, contrast, dose_response, logit_lens, resid_post, run, steer
from interp.charts import describe, to_json
from interp.directions import by_layer
from interp.errors import RequestError
from interp.lens import lens_map
from interp.prompts import Prompt, PromptSet
from interp.stats import proportion

TEXTS = ("The capital of France is", "A much longer prompt about the capital of Spain", "One")


def prompts(*texts):
    made = (Prompt(text=t, answers=("Paris",), group=t) for t in texts)
    return PromptSet("made", tuple(made))


def test_the_lens_map_is_the_lens_at_every_token(any_model):
    one = prompts(TEXTS[0])
    found = lens_map(any_model, one)
    lens = logit_lens(any_model, one)
    first = logit_lens(any_model, one, at="first")
    assert found.ranks.shape == (any_model.n_layers + 1, len(found.tokens))
    assert (found.ranks[:, -1] == lens.ranks[0]).all()
    assert (found.ranks[:, 0] == first.ranks[0]).all()
    decode = any_model.backend.tokenizer.decode
    assert [row[-1] for row in found.words] == [decode([token]) for token in lens.likeliest[0]]
    assert "".join(found.tokens).endswith("is")


def test_the_chart_of_a_lens_map_counts_ranks_from_one_and_depth_upwards(llama):
    found = lens_map(llama, prompts(TEXTS[0]))
    chart = found.chart()
    assert chart.rows == ("embed", *map(str, llama.layers))
    assert np.array_equal(chart.panels[0].cells, found.ranks + 1)
    assert to_json(chart)


def test_a_lens_map_is_of_one_prompt_with_an_answer(llama):
    with pytest.raises(RequestError, match="one prompt"):
        lens_map(llama, prompts(*TEXTS))
    with pytest.raises(RequestError, match="a prompt has none"):
        lens_map(llama, ["The capital"])


def test_the_curve_of_a_lens_has_a_wilson_interval_at_each_depth(llama):
    lens = logit_lens(llama, prompts(*TEXTS))
    (line,) = lens.chart().plots[0].lines
    first = proportion(lens.top1[:, 0])
    assert (line.y[0], line.low[0], line.high[0]) == (first.mean, first.low, first.high)
    assert lens.chart().ticks == ("embed", *map(str, llama.layers))
    (generic,) = lens.generic_chart().plots[0].lines
    assert generic.y == tuple(lens.commonest)


def test_the_chart_of_back_patching_has_source_across_and_target_upwards(llama):
    asked = prompts(*TEXTS)
    likeliest = run(llama, asked).likeliest
    own = back_patch(llama, asked, donors=asked, at="last", read=lambda r: r.likeliest == likeliest)
    null = back_patch(llama, asked, donors=prompts(*TEXTS[::-1]), at="last")
    chart = own.chart(null)
    for (early, late), hits in zip(own.pairs, own.correct, strict=True):
        assert chart.panels[0].cells[early][late] == hits.mean()
        assert early == late or chart.panels[0].cells[late][early] is None
    assert chart.panels[1].cells[0][0] == null.by((0, 0)).mean()
    assert 'the state at "last"' in describe(chart)


def test_a_dose_response_is_the_runs_that_it_names(llama):
    asked = prompts(*TEXTS)
    site = resid_post(llama.layer("middle"))
    found = contrast(llama, prompts(*TEXTS[:2]), prompts(TEXTS[2]), site=site).direction
    controls = found.random(2, seed=0)
    answer = run(llama, asked).likeliest

    def read(steered):
        return steered.likeliest == answer

    doses = dose_response(
        llama, asked, found, controls=controls, alphas=(-9.0, 0.0, 4.0), read=read
    )
    assert doses.direction.shape == (3, 3)
    assert doses.controls.shape == (2, 3, 3)
    for i, alpha in enumerate(doses.alphas):
        for row, one in zip((doses.direction, *doses.controls), (found, *controls), strict=True):
            assert (row[i] == read(run(llama, asked, steer(site, one, alpha=float(alpha))))).all()
    assert doses.direction[1].all()
    control, line = doses.chart("kept").plots[0].lines
    assert (control.role, line.y) == ("control", tuple(doses.direction.mean(axis=1)))
    assert control.low[0] <= doses.controls[:, 0].mean() <= control.high[0]


def test_a_dose_response_needs_a_control(llama):
    asked = prompts(*TEXTS)
    site = resid_post(0)
    found = contrast(llama, prompts(TEXTS[0]), prompts(TEXTS[2]), site=site).direction
    with pytest.raises(RequestError, match="a dose and a control"):
        dose_response(llama, asked, found, controls=())


def test_directions_by_layer_show_their_norms_and_cosines(llama):
    sites = [resid_post(layer) for layer in llama.layers]
    yes, no = (
        prompts(*(f"yes {i} times" for i in range(6))),
        prompts(*(f"no {i}" for i in range(6))),
    )
    found = [contrast(llama, yes, no, site=site) for site in sites]
    norms, cosines = by_layer(found).plots
    chance, norm = norms.lines
    assert norm.y == tuple(one.direction.norm for one in found)
    assert chance.role == "control"
    assert chance.low[0] <= float(np.median(found[0].shuffled_norms(100, seed=0))) <= chance.high[0]
    halves, after = cosines.lines
    assert halves.y[0] == found[0].agreement(seed=0)
    assert after.y[0] == found[0].direction.cosine(found[1].direction)
    assert len(after.y) == len(found) - 1
