"""Thinking on tiny models: what cannot be is refused; rows another way round think the same."""

from dataclasses import replace

import numpy as np
import pytest

from interp import all_thoughts, fed, think, thought
from interp.backends import torch_strands
from interp.backends.thinking import FED
from interp.backends.torch_thinker_twins import write_thinker_twin
from interp.backends.varied_thinking import VariedThinker
from interp.edits import patch, steer
from interp.errors import NonFiniteError, RequestError
from interp.models import load
from interp.registry import ModelSpec
from interp.runs import run
from interp.sites import final_norm, pattern, resid_post
from interp.thought_sweeps import think_sweep

QUESTIONS = ["hot -> cold", "big -> small , hot -> cold", "big -> cold", "The state is Texas ."]


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def thinker(request, tmp_path_factory):
    """A tiny random model that thinks."""
    folder = tmp_path_factory.mktemp(request.param)
    write_thinker_twin(request.param, folder, folder, safe=True)
    return load(ModelSpec(f"tiny-{request.param}", str(folder), is_local=True))


@pytest.mark.parametrize("how", [{"backwards": True}, {"at_a_time": 1}, {"at_a_time": 3}])
def test_rows_another_way_round_think_the_same(thinker, how):
    varied = replace(thinker, backend=VariedThinker(thinker.backend, **how))
    push = steer(resid_post(1), np.ones(32, np.float32), alpha=np.arange(4.0), at=thought(1))
    prompt = steer(resid_post(1), np.ones(32, np.float32), at="last")
    one, other = (
        think(model, QUESTIONS, push, prompt, capture=[FED]) for model in (thinker, varied)
    )
    assert one.new_ids == other.new_ids
    assert np.abs(one[fed(), thought(3)] - other[fed(), thought(3)]).max() < 1e-5
    assert (
        [entry.fired for entry in one.ledger] == [entry.fired for entry in other.ledger] == [4, 4]
    )


def test_one_dose_a_row_reaches_its_own_row_only(thinker):
    doses = np.array([0.0, 3.0, 0.0, 3.0])
    push = steer(fed(), np.ones(32, np.float32), alpha=doses, at=all_thoughts())
    moved = think(thinker, QUESTIONS, push).next_logits != think(thinker, QUESTIONS).next_logits
    assert moved.any(axis=1).tolist() == [False, True, False, True]


def test_a_prompt_edit_moves_the_thoughts_and_an_answer_edit_does_not(thinker):
    push = steer(resid_post(1), np.ones(32, np.float32), alpha=5.0)
    plain = think(thinker, QUESTIONS, capture=[final_norm()])[final_norm(), thought(0)]
    for phase, moves in (("prompt", True), ("generated", False)):
        run_ = think(thinker, QUESTIONS, push.during(phase), capture=[final_norm()])
        assert (run_[final_norm(), thought(0)] != plain).any() == moves


REFUSED = {
    "a thought that is not there": (lambda: steer(fed(), np.ones(32), at=thought(6)), "thoughts"),
    "no such layer": (lambda: steer(resid_post(9), np.ones(32), at=thought(0)), "layer"),
    "a value for each token": (
        lambda: patch(fed(), np.ones((4, 9, 32)), at=thought(0)),
        "fit exactly",
    ),
    "a wrong width": (lambda: steer(fed(), np.ones(31), at=thought(0)), "fit exactly"),
    "a dose in norms": (
        lambda: steer(fed(), np.ones(32), at=thought(0), unit="median_norm"),
        "raw units",
    ),
    "the fed vector at tokens": (lambda: steer(fed(), np.ones(32), at="last"), "fire"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_an_edit_that_cannot_be_applied_as_written_is_refused(thinker, wrong):
    edit, message = REFUSED[wrong]
    with pytest.raises(RequestError, match=message):
        think(thinker, QUESTIONS, edit())


def test_a_value_that_is_no_number_is_refused(thinker):
    with pytest.raises(NonFiniteError, match="NaN"):
        think(thinker, QUESTIONS, patch(fed(), np.full((4, 32), np.nan), at=thought(0)))


def test_an_edit_at_thoughts_is_in_no_other_phase():
    with pytest.raises(RequestError, match="no other phase"):
        steer(fed(), np.ones(32), at=all_thoughts()).during("generated")


def test_a_pass_over_tokens_has_no_thoughts(thinker):
    with pytest.raises(RequestError, match="no thought is fed"):
        run(thinker, QUESTIONS, capture=[fed()])
    with pytest.raises(RequestError, match="no thoughts"):
        run(thinker, QUESTIONS, steer(resid_post(0), np.ones(32), at=thought(0)))


def test_what_was_not_captured_is_not_given(thinker):
    thinking = think(thinker, QUESTIONS, capture=[fed()])
    for key in ((fed(), "begin"), (fed(), thought(6)), (resid_post(0), thought(0))):
        with pytest.raises(RequestError, match="not captured"):
            thinking[key]
    with pytest.raises(RequestError, match="not kept at thoughts"):
        think(thinker, QUESTIONS, capture=[pattern(0)])


def test_a_model_that_answers_at_once_does_not_think(llama):
    with pytest.raises(RequestError, match="no continuous thoughts"):
        think(llama, QUESTIONS)


def test_a_question_that_leaves_no_room_is_refused(thinker):
    with pytest.raises(RequestError, match="fit"):
        think(thinker, [" ".join(["hot"] * 60)])


def test_fewer_thoughts_than_none_are_refused(thinker):
    with pytest.raises(RequestError, match="0 or more"):
        think(thinker, QUESTIONS, n_thoughts=-1)


@pytest.mark.parametrize("how", [{"backwards": True}, {"at_a_time": 3}])
def test_a_sweep_over_thoughts_is_its_variants_one_by_one(thinker, how):
    varied = replace(thinker, backend=VariedThinker(thinker.backend, **how))
    rng = np.random.default_rng(0)
    pushes = [
        tuple(steer(resid_post(1), one, at=thought(step)) for step, one in enumerate(each))
        for each in rng.normal(size=(5, 6, 32)).astype(np.float32)
    ]
    grid = think_sweep(varied, QUESTIONS, [(), *pushes], read=lambda one: one.next_logits)
    plain = [think(thinker, QUESTIONS, *one).next_logits for one in [(), *pushes]]
    assert str(grid.rung) == "strands"
    assert np.abs(grid.values - plain).max() < 1e-5
    assert grid.work.layer_tokens < grid.work.one_by_one


@pytest.mark.parametrize("rows", [1, 7])
def test_memory_decides_how_many_go_together_and_nothing_else(thinker, monkeypatch, rows):
    pushes = [(steer(fed(), np.full(32, size, np.float32), at=thought(2)),) for size in range(4)]
    whole = think_sweep(thinker, QUESTIONS, pushes, read=lambda one: one.next_logits)
    monkeypatch.setattr(torch_strands, "LOGITS", rows * 4 * thinker.backend.info.d_vocab)
    parts = think_sweep(thinker, QUESTIONS, pushes, read=lambda one: one.next_logits)
    assert np.abs(parts.values - whole.values).max() < 1e-5
    assert parts.work.layer_tokens >= whole.work.layer_tokens


def test_a_sweep_refuses_what_a_single_course_refuses(thinker):
    dead = (steer(final_norm(), np.ones(32, np.float32), at=thought(5)),)
    with pytest.raises(RequestError, match="nothing reads this site"):
        think_sweep(thinker, QUESTIONS, [dead], read=lambda one: one.next_logits)
    with pytest.raises(RequestError, match="a sweep needs a variant"):
        think_sweep(thinker, QUESTIONS, [], read=lambda one: one.next_logits)
    allowed = think_sweep(
        thinker, QUESTIONS, [(), dead], read=lambda one: one.next_logits, dead_sites=True
    )
    assert np.array_equal(*allowed.values)
