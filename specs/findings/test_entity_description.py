"""A state says what it stands for, put into a prompt that makes the model say so.

Patchscopes: the state of a word, or of the subject of a two-hop question, is put in the place of x
in a prompt such as "dog -> dog , x ->" or the paper's "Syria: Syria is a country ..., x:". What is
said then names the word itself, or the bridge: the state that the city lies in.

Source:  Ghandeharioun et al. 2024, "Patchscopes", arXiv:2401.06102; at the subject and at the last
         token as in Biran et al. 2024, "Hopping Too Late", arXiv:2406.12775v2.
Differs: the description is the one that names most of what is written in the place of x, which is
         the positive control; the pair of layers is chosen on half of the entities and tested on
         the other. Nulls through the same grid and the same choice: another entity's state, scored
         against this one's name, and random vectors as long.
"""

import numpy as np
import pytest

from interp import run
from interp.descriptions import describe, noise_like, placed, put, said, states_of, written
from interp.stats import halves, holm, mcnemar, proportion

SOURCE = "Patchscopes, arXiv:2401.06102; Hopping Too Late, arXiv:2406.12775v2"


@pytest.fixture
def described(model, descriptions, profile, measured, drawn):
    """What a description names, by arm, of the entities it was not chosen on."""

    def named(prompts, names, kind, at):
        entities = [one.spans["e1"] for one in prompts.prompts]
        tried = descriptions.only(names=kind).prompts
        controls = [run(model, written(one, entities, names)).correct for one in tried]
        chosen, tested = halves(prompts.groups, seed=0)
        most = max(range(len(tried)), key=lambda number: controls[number][chosen].sum())
        measured("written_named", proportion(controls[most][tested]).needs(20))
        answers = written(tried[most], [one.answers[0] for one in prompts.prompts], names)
        measured("written_answer_named", proportion(run(model, answers).correct[tested]))
        layers = model.layers[:: profile.pick(quick=2, full=1)]
        own = states_of(model, prompts, layers, at=at)
        others = states_of(model, prompts.derange(seed=0), layers, at=at)
        arms = {"own": own, "another's": others, "random": noise_like(own, seed=0)}
        into = placed(tried[most], names)
        grids = {arm: describe(model, into, states) for arm, states in arms.items()}
        drawn("pairs", grids["own"].chart({arm: grids[arm] for arm in ("another's", "random")}))
        source, target = grids["own"].best(chosen)
        edits = put(target, own[source], at="x")
        in_words = said(model, into, *edits, max_new_tokens=profile.pick(quick=4, full=10))
        measured("named_in_words", proportion(in_words[tested]))
        return {arm: one.by(one.best(chosen))[tested] for arm, one in grids.items()}

    return named


@pytest.fixture
def worst(measured):
    """The larger p of the own state against the two nulls, by exact McNemar tests with Holm."""

    def p(named):
        for arm, hits in named.items():
            measured("named", proportion(hits), arm=arm)
        nulls = [mcnemar(named["own"], named[arm]).p for arm in ("another's", "random")]
        return measured("mcnemar_p", float(holm(nulls).max()), n=len(named["own"]), unit="p")

    return p


@pytest.mark.finding("patchscopes.word", version=1, source=SOURCE)
def test_the_state_of_a_word_names_the_word(words, described, worst, profile):
    some = words.where(np.arange(len(words)) % profile.pick(quick=2, full=1) == 0)
    names = [(one.spans["e1"],) for one in some.prompts]
    assert worst(described(some, names, "entity", "e1")) < 0.01


@pytest.mark.finding("patchscopes.bridge", version=1, source=SOURCE)
@pytest.mark.parametrize("position", ["e1", "last"])
def test_a_state_names_the_bridge(two_hop, described, worst, profile, position):
    states = two_hop.only(split="test", kind="state")
    some = states.where(np.arange(len(states)) % profile.pick(quick=3, full=1) == 0)
    names = [one.answers for one in some.first_hop.prompts]
    assert worst(described(some, names, "bridge", position)) < 0.01
