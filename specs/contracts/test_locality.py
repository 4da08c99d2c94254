"""An edit touches the rows, positions and layers it names, whatever else is in the batch.

Layer, position, dose, rows and the batch itself are drawn by hypothesis. Before the edited layer
and position nothing moves, bit for bit; at the site the change is the dose; afterwards the model is
as it was.

Source: contract of `interp.steer` and `interp.run`.
"""

import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from interp import random_direction, relative_error, resid_post, resid_pre, rounding, run, steer

pytestmark = [pytest.mark.contract("steer")]
drawn = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # the first failure says enough; shrinking runs the model again
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@drawn
@given(data=st.data())
def test_nothing_else_moves(model, mixed_lengths, data):
    picked = data.draw(st.sets(st.integers(0, len(mixed_lengths) - 1), min_size=2), label="batch")
    prompts = mixed_lengths.where(np.isin(np.arange(len(mixed_lengths)), list(picked)))
    site = resid_post(data.draw(st.sampled_from(list(model.layers)), label="layer"))
    at = data.draw(st.sampled_from(["first", "last", "e1", "all"]), label="at")
    row = data.draw(st.integers(0, len(prompts) - 1), label="row")
    push = steer(site, random_direction(model, site, seed=5), alpha=1.0, at=at, unit="median_norm")
    sites = [resid_pre(site.layer), site]
    plain, edited = (run(model, prompts, *e, capture=sites) for e in ([], [push.on_rows(row)]))
    changed = (plain[site] != edited[site]).any(axis=-1) & ~np.isnan(plain[site]).all(axis=-1)
    assert np.array_equal(plain[sites[0]], edited[sites[0]], equal_nan=True)
    assert (changed <= plain.encoded.mask(at)).all()
    assert changed.any(axis=1).tolist() == [one == row for one in range(len(prompts))]


@drawn
@given(a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_doses_add_up_at_the_site(model, mixed_lengths, a, b):
    site = resid_post(model.layer("middle"))
    push = random_direction(model, site, seed=6)
    both = [steer(site, push, alpha=alpha) for alpha in (a, b)]
    once = run(model, mixed_lengths, steer(site, push, alpha=a + b), capture=[site])
    twice = run(model, mixed_lengths, *both, capture=[site])
    assert relative_error(twice[site], once[site]) < rounding(model)


@pytest.fixture
def hurried():
    """Threads that take turns as often as they can, so that calls really overlap."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried")
def test_two_threads_do_not_see_each_other_s_edits(model, mixed_lengths):
    site, logits = resid_post(model.layer("middle")), {0: [], 1: []}
    push = steer(site, random_direction(model, site, seed=7), alpha=1.0, unit="median_norm")

    def work(name, edits):
        logits[name] = [run(model, mixed_lengths, *edits).logits for _ in range(8)]

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate([(), (push,)])]
    _ = [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert all(np.array_equal(one, all_of[0]) for all_of in logits.values() for one in all_of)
    assert not np.array_equal(logits[0][0], logits[1][0])
