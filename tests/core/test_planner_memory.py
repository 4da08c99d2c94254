"""Memory of a sweep: budgets, halves, what is kept on disk, and what an earlier try has left."""

import subprocess
import sys
from contextlib import contextmanager
from textwrap import dedent

import numpy as np
import pytest
import torch

from interp import generate, patch, relative_error, resid_post, resid_pre, rounding, run, sweep
from interp.backends.torch_sharing import TorchSharing, memory
from interp.errors import DataError, RequestError
from interp.kept import Kept
from interp.means import Means, given
from interp.readers import likeliest
from interp.sites import layer_pairs

TEXTS = ["The capital of France is Paris .", "hot -> cold , big", "How do I steal the car ? I"]


def logits_of(done):
    return done.logits


def new_ids_of(done):
    return np.array([str(new) for new in done.new_ids])


READS = pytest.mark.parametrize(("read", "new"), [(logits_of, None), (new_ids_of, 5)])


def back_patches(model):
    states = run(model, TEXTS, capture=[resid_post(layer) for layer in model.layers])
    return [
        (patch(resid_pre(early), states[resid_post(late), "last"], at="last"),)
        for early, late in layer_pairs(model.n_layers)
    ]


def swept(model, read=logits_of, new=None, memory=None):
    return sweep(model, TEXTS, back_patches(model), read=read, max_new_tokens=new, memory=memory)


@pytest.fixture
def waves(monkeypatch):
    """How many rows each wave had; a wave of more than `most` rows does not fit."""
    right = TorchSharing.wave

    class Waves(list):
        most = 1000

    seen = Waves()

    def noted(self, trunk, wave, *, keep=False):
        if len(wave.prompt) > seen.most:
            raise MemoryError
        seen.append(len(wave.prompt))
        return right(self, trunk, wave, keep=keep)

    monkeypatch.setattr(TorchSharing, "wave", noted)
    return seen


@READS
def test_a_smaller_budget_halves_and_changes_no_number(llama, waves, read, new):
    whole = swept(llama, read, new)
    largest, waves[:] = max(waves), []
    small = swept(llama, read, new, memory=10_000)
    assert 0 < max(waves) < largest
    assert small.work.halved > whole.work.halved == 0
    if new is None:
        assert relative_error(small.values, whole.values) < rounding(llama)
    else:
        assert (small.values == whole.values).all()


def test_what_is_computed_together_is_a_function_of_the_grid(llama, waves):
    """Whatever more there is to take: the same rows together, the same bits."""
    grids, rows = [], []
    for budget in (2**24, 2**30, 2**40, None):
        grids.append(swept(llama, memory=budget).values)
        rows.append(waves[:])
        waves.clear()
    assert all(map(np.array_equal, grids, grids[1:]))
    assert rows[1:] == rows[:-1]


def test_a_budget_from_around_counts_unless_the_sweep_has_its_own(llama):
    with given(Means(memory=10_000)):
        assert swept(llama).work.halved
        assert not swept(llama, memory=2**30).work.halved
    assert not swept(llama).work.halved


@READS
def test_what_does_not_fit_is_halved_and_nothing_is_computed_twice(llama, waves, read, new):
    whole = swept(llama, read, new)
    waves.clear()
    waves.most = 7
    parts = swept(llama, read, new)
    assert parts.work.layer_tokens == whole.work.layer_tokens
    assert parts.work.head_rows == whole.work.head_rows
    assert sum(waves) == 30
    waves.most = 0
    with pytest.raises(RequestError, match="does not fit into memory"):
        swept(llama, read, new)


def test_a_trunk_that_does_not_fit_is_halved(llama, monkeypatch):
    right = TorchSharing.trunk

    def small(self, plan):
        if len(plan.ids) > 1:
            raise MemoryError
        return right(self, plan)

    whole = swept(llama)
    monkeypatch.setattr(TorchSharing, "trunk", small)
    assert relative_error(swept(llama).values, whole.values) < rounding(llama)
    assert (swept(llama, new_ids_of, 4).values == each_by_itself(llama, 4)).all()


def each_by_itself(model, new):
    variants = back_patches(model)
    return [new_ids_of(generate(model, TEXTS, *one, max_new_tokens=new)) for one in variants]


def test_running_out_is_one_error_on_every_device():
    with pytest.raises(MemoryError), memory():
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
    with pytest.raises(RuntimeError, match="shapes"), memory():
        raise RuntimeError("the shapes do not match")


SHORT = """
    import resource, sys, psutil, torch
    from interp import load, random_direction, relative_error, resid_post, rounding, steer, sweep
    from interp.backends.torch_sharing import TorchSharing

    torch.set_num_threads(1)
    model = load(sys.argv[1])
    texts = ["The capital of France is Paris . " * 5 + word for word in ("hot", "cold", "big")]
    pushes = [random_direction(model, resid_post(0), seed=n) for n in range(600)]
    variants = [(steer(resid_post(0), one),) for one in pushes]
    read = lambda one: one.logits
    few = sweep(model, texts, variants, read=read)
    TorchSharing.tokens_at_once, TorchSharing.working_set = 2**16, 2**40
    free = psutil.Process().memory_info().vms + 64 * 2**20  # a wave needs several times as much
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (free, most))
    short = sweep(model, texts, variants, read=read, memory=2**40)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    assert relative_error(short.values, few.values) < rounding(model)
    assert short.work.layer_tokens == few.work.layer_tokens
    print("halved", few.work.halved, short.work.halved)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process may map")
def test_a_process_that_really_runs_out_goes_on_in_halves(folder_of):
    words = [sys.executable, "-c", dedent(SHORT), str(folder_of("llama"))]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.startswith("halved 0 "), done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 0


class Died(BaseException):
    """The end of a process, as a sweep sees it."""


@contextmanager
def dying(after):
    """So many waves and so many growths, then the end."""

    def until_then(right):
        left = iter(range(after))

        def step(self, *args, **settings):
            if next(left, None) is None:
                raise Died
            return right(self, *args, **settings)

        return step

    with pytest.MonkeyPatch.context() as patched:
        for name in ("wave", "grow"):
            patched.setattr(TorchSharing, name, until_then(getattr(TorchSharing, name)))
        with pytest.raises(Died):
            yield


@READS
def test_an_interrupted_sweep_goes_on_from_what_is_kept(llama, tmp_path, read, new):
    whole = swept(llama, read, new, memory=3_000)
    with given(Means(kept=tmp_path)):
        with dying(after=4):
            swept(llama, read, new, memory=3_000)
        (file,) = tmp_path.iterdir()
        with file.open("ab") as out:
            out.write(b"torn")
        rest = swept(llama, read, new, memory=3_000)
        again = swept(llama, read, new, memory=3_000)
    assert (rest.values == whole.values).all()
    assert rest.ledgers == whole.ledgers
    assert 0 < rest.work.kept < 30
    assert rest.work.layer_tokens < whole.work.layer_tokens
    assert (again.work.kept, again.work.layer_tokens) == (30, 0)
    assert (again.values == whole.values).all()


def test_other_sweeps_are_kept_apart(llama, tmp_path):
    with given(Means(kept=tmp_path)):
        swept(llama)
        assert swept(llama, new_ids_of, 3).work.kept == 0
        assert sweep(llama, TEXTS[:2], back_patches_of(llama), read=likeliest).work.kept == 0
        assert sweep(llama, TEXTS, back_patches_of(llama), read=likeliest).work.kept == 0
    assert len(list(tmp_path.iterdir())) == 4


def back_patches_of(model):
    """The same sites with other values."""
    zero = np.zeros(model.d_model, np.float32)
    return [(patch(resid_pre(layer), zero, at="last"),) for layer in model.layers]


def test_a_damaged_record_is_dropped_with_all_that_follows(llama, tmp_path):
    with given(Means(kept=tmp_path)):
        whole = swept(llama, memory=3_000)
        (file,) = tmp_path.iterdir()
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(bytes(content))
        rest = swept(llama, memory=3_000)
        assert 0 < rest.work.kept < 30
        assert np.array_equal(rest.values, whole.values)
        assert sum(len(part.variant) for part in Kept(file).parts()) == 30


def test_a_full_file_is_not_written_to(llama, tmp_path, monkeypatch):
    monkeypatch.setattr("interp.kept.MOST", 10_000)
    with given(Means(kept=tmp_path)):
        whole = swept(llama, memory=3_000)
        (file,) = tmp_path.iterdir()
        assert 0 < file.stat().st_size <= 10_000
        rest = swept(llama, memory=3_000)
    assert 0 < rest.work.kept < 30
    assert np.array_equal(rest.values, whole.values)


def test_what_cannot_be_kept_is_an_error(llama, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with given(Means(kept=tmp_path / "file")), pytest.raises(DataError, match="cannot be kept"):
        swept(llama)
