"""Memory of sweeps that share nothing: plain runs in parts, and what is kept of them."""

from contextlib import contextmanager

import numpy as np
import pytest

from interp import final_norm, relative_error, rounding, steer, sweep
from interp.backends.torch import TorchBackend
from interp.errors import RequestError
from interp.means import Means, given
from interp.readers import likeliest

TEXTS = ["The capital of France is Paris .", "hot -> cold , big", "How do I steal the car ? I"]


class Died(BaseException):
    """The end of a process, as a sweep sees it."""


def logits_of(done):
    return done.logits


def new_ids_of(done):
    return np.array([str(new) for new in done.new_ids])


READS = pytest.mark.parametrize(("read", "new"), [(logits_of, None), (new_ids_of, 5)])


def unshared(model):
    """Variants at a site that no wave reaches: each is a run of its own."""
    rng = np.random.default_rng(0)
    return [
        (steer(final_norm(), rng.normal(size=model.d_model).astype(np.float32), at="all"),)
        for _ in range(3)
    ]


def swept_plainly(model, read=logits_of, new=None, memory=None):
    return sweep(model, TEXTS, unshared(model), read=read, max_new_tokens=new, memory=memory)


@contextmanager
def fitting(most, runs):
    """A model that has no memory for more prompts at once, and after so many runs no more life."""
    left = iter(range(runs))

    def limited(right):
        def step(self, ids, *args, **settings):
            if len(ids) > most:
                raise MemoryError
            if next(left, None) is None:
                raise Died
            return right(self, ids, *args, **settings)

        return step

    with pytest.MonkeyPatch.context() as patched:
        for name in ("forward", "generate"):
            patched.setattr(TorchBackend, name, limited(getattr(TorchBackend, name)))
        yield


@READS
def test_plain_runs_are_bounded_too_and_say_the_same(llama, read, new):
    whole = swept_plainly(llama, read, new)
    assert whole.rung.name == "plain"
    assert whole.work.halved == 0
    with fitting(most=1, runs=9):
        small = swept_plainly(llama, read, new, memory=1)
    with fitting(most=1, runs=9):
        short = swept_plainly(llama, read, new, memory=2**40)
    for parts in (small, short):
        assert parts.work.halved > 0
        assert parts.work.layer_tokens == whole.work.layer_tokens
        assert [[one.fired for one in told] for told in parts.ledgers] == [
            [one.fired for one in told] for told in whole.ledgers
        ]
        if new is None:
            assert relative_error(parts.values, whole.values) < rounding(llama)
        else:
            assert (parts.values == whole.values).all()


@READS
def test_plain_runs_go_on_from_what_is_kept(llama, tmp_path, read, new):
    whole = swept_plainly(llama, read, new, memory=1)
    with given(Means(kept=tmp_path)):
        with pytest.raises(Died), fitting(most=1, runs=4):
            swept_plainly(llama, read, new, memory=1)
        with fitting(most=1, runs=5):
            rest = swept_plainly(llama, read, new, memory=1)
    assert (rest.values == whole.values).all()
    assert rest.ledgers == whole.ledgers
    assert rest.work.kept == 4


def test_a_plain_run_that_does_not_fit_by_itself_says_so(llama):
    with pytest.raises(RequestError, match="does not fit into memory"), fitting(most=0, runs=9):
        swept_plainly(llama)


def test_a_reader_of_plain_runs_is_given_the_prompts_of_one_run(llama, monkeypatch):
    held, right = [], likeliest.read

    def read(_reader, encoded, rows, logits):
        held.append(len(logits))
        return right(encoded, rows, logits)

    whole = swept_plainly(llama, likeliest)
    monkeypatch.setattr(type(likeliest), "read", read)
    assert (swept_plainly(llama, likeliest, memory=1).values == whole.values).all()
    assert held == [1] * 9
