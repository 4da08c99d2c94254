"""Knockouts, sublayers and descriptions: what they find is what runs say, and charts show it."""

from pathlib import Path

import numpy as np
import pytest

from interp import PromptSet, attn_out, descriptions, generate, load, mlp_out, run
from interp.charts import to_json
from interp.descriptions import describe, placed, put, said, states_of, written
from interp.errors import RequestError
from interp.knockout import Knockouts, half_window, hide, knock_out, window
from interp.metrics import probability, rank
from interp.positions import besides, span
from interp.prompts import Prompt
from interp.sublayers import first_tokens, project_sublayers

TEXTS = {"The capital of France is": "France", "In Spain the capital city is": "Spain"}
ANSWERED = {
    "The capital of France is": ("France", "Paris"),
    "The opposite of hot is": ("hot", "cold"),
    "The capital city of Japan is": ("Japan", "Tokyo"),
}
SHIPPED = Path(__file__).parents[2] / "fixtures" / "checkpoints" / "llama-world"
ECHO = Prompt(text="dog -> dog , x ->", spans={"x": " x"})


@pytest.fixture(scope="module")
def world():
    """The shipped Llama: a knockout needs a model that answers something."""
    return load(str(SHIPPED))


@pytest.fixture
def answered():
    """Questions that it answers."""
    rows = [
        Prompt(text=text, spans={"e1": name}, answers=(answer,))
        for text, (name, answer) in ANSWERED.items()
    ]
    return PromptSet("answered", tuple(rows))


@pytest.mark.parametrize("k", [0, 1])
def test_a_knockout_is_what_runs_with_its_edits_lose(world, answered, k):
    hidden = {"subject": span("e1"), "others": besides("e1")}
    found, plain = knock_out(world, answered, hidden, k=k), run(world, answered)
    tokens = plain.encoded.answers
    for name, place in hidden.items():
        for layer in world.layers:
            edits = hide(window(layer, k, world.n_layers), to=place)
            done = run(world, answered, *edits)
            assert np.array_equal(found.lost[name][layer], ~done.correct)
            before, after = (np.log(probability(r.next_logits, tokens)) for r in (plain, done))
            assert np.allclose(found.drop[name][layer], before - after, atol=1e-5)
    assert to_json(found.chart("others"))


def test_a_window_is_as_large_a_part_of_a_model_as_the_paper_s(llama):
    assert half_window(llama) == round(3 * llama.n_layers / 32)


def test_only_what_is_answered_can_be_lost(world):
    wrong = PromptSet("wrong", (Prompt(text="The capital", answers=("Paris",)),))
    with pytest.raises(RequestError, match="only an answer that is right"):
        knock_out(world, wrong, {"all": "all"}, k=0)


def test_the_costliest_is_of_the_chosen_and_the_farthest_at_an_end():
    lost = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]], bool)
    found = Knockouts(0, {"a": lost}, {"a": np.zeros((3, 4))})
    assert found.costliest("a", np.array([1, 1, 0, 0], bool)) == 0
    assert found.costliest("a", np.array([0, 0, 1, 1], bool)) == 1
    assert [found.farthest(layer) for layer in range(3)] == [2, 2, 0]


def test_too_few_other_tokens_are_told(llama):
    long = Prompt(
        text="Saint Vincent and the Grenadines is", spans={"e1": "Vincent and the Grenadines"}
    )
    encoded = llama.encode(PromptSet("long", (long,)))
    with pytest.raises(RequestError, match="too few other tokens"):
        encoded.mask(besides("e1", draw=0))


def test_draws_differ_by_seed_and_spell_themselves(world, answered):
    encoded = world.encode(answered)
    draws = [encoded.mask(besides("e1", draw=seed)) for seed in range(20)]
    assert any((one != draws[0]).any() for one in draws)
    assert str(besides("e1")) == 'besides("e1")'
    assert str(besides("e1", draw=3)) == 'besides("e1", draw=3)'


def test_projections_are_the_ranks_of_what_is_added(any_model):
    for name in {"attn_out", "mlp_out"} & any_model.backend.info.refused.keys():
        pytest.skip(any_model.backend.info.refused[name])
    rows = (Prompt(text=text, answers=("Paris",)) for text in TEXTS)
    prompts = PromptSet("named", tuple(rows))
    tokens = first_tokens(any_model, prompts)
    found = project_sublayers(any_model, prompts, {"name": tokens})
    for place, site in enumerate((attn_out, mlp_out)):
        for layer in any_model.layers:
            plain = run(any_model, prompts, capture=[site(layer)])
            logits = any_model.backend.unembed(plain[site(layer), "last"])
            # A tie in rounding moves a rank by one.
            assert np.abs(found.ranks["name"][place, layer] - rank(logits, tokens)).max() <= 1
    assert to_json(found.chart("nothing"))


def test_a_written_entity_takes_the_placeholder_s_place():
    (one,) = written(ECHO, ["hot"], [("hot", "warm")]).prompts
    assert (one.text, one.answers) == ("dog -> dog , hot ->", ("hot", "warm"))
    bare = Prompt(text="x ->", spans={"x": "x"})
    assert written(bare, ["hot"], [("hot",)]).prompts[0].text == "hot ->"


def test_a_described_cell_is_the_run_with_its_edit(world):
    source = PromptSet("source", tuple(Prompt(text=t, spans={"e1": n}) for t, n in TEXTS.items()))
    states = states_of(world, source, [0, 2], at="e1")
    into = placed(ECHO, [(name,) for name in TEXTS.values()])
    found = describe(world, into, states)
    for (early, late), likeliest in zip(found.pairs, found.likeliest, strict=True):
        done = run(world, into, *put(late, states[early], at="x"))
        assert likeliest.tolist() == done.likeliest.tolist()
        assert found.by((early, late)).tolist() == done.correct.tolist()
    chart = found.chart({"again": found})
    assert chart.columns == ("0", "2")
    assert chart.rows == tuple(map(str, world.layers))
    assert to_json(chart)


@pytest.mark.parametrize(
    ("name", "expected"), [("Rome", True), ("rom", False), ("ROME ", True), ("Paris", False)]
)
def test_a_name_is_said_in_whole_words(name, expected):
    assert descriptions._holds("in Rome, he", ["Lima", name]) is expected


def test_what_is_said_is_what_is_generated(world, answered):
    done = generate(world, answered, max_new_tokens=3)
    own = said(world, answered, max_new_tokens=3)
    words = [one.answers for one in answered.prompts]
    assert own.tolist() == [
        descriptions._holds(text, names) for text, names in zip(done.texts, words, strict=True)
    ]


def test_a_description_without_a_name_is_refused(llama):
    nameless = PromptSet("nameless", (ECHO,))
    with pytest.raises(RequestError, match="names something"):
        describe(llama, nameless, {0: np.ones((1, llama.d_model), np.float32)})
