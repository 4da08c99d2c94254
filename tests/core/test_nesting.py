"""Edits on top of edits: whatever the stack, the site holds what their formulas say in that order.

A state machine pushes and pops edits; after each step one run with the whole stack is compared with
the same formulas in numpy, and a run without any with the first one, bit for bit.
"""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from interp import ablate, project_out, relative_error, resid_post, rounding, run, steer

TEXTS = ["The capital of France is", "Paris"]
SITE = resid_post(1)
vectors = st.integers(0, 5).map(lambda seed: np.random.default_rng(seed).normal(size=32))


class Stack(RuleBasedStateMachine):
    """A stack of edits at one site, each with what it does to a value at the last position."""

    model = None

    def __init__(self):
        super().__init__()
        self.plain = run(self.model, TEXTS, capture=[SITE])
        self.stack = []

    @rule(vector=vectors, alpha=st.floats(-2, 2))
    def push_steering(self, vector, alpha):
        edit = steer(SITE, vector, alpha=alpha, at="last")
        self.stack.append((edit, lambda h: h + np.float32(alpha) * vector))

    @rule(vector=vectors)
    def push_projection(self, vector):
        unit = vector / np.linalg.norm(vector)
        edit = project_out(SITE, vector, at="last")
        self.stack.append((edit, lambda h: h - (h @ unit)[:, None] * unit))

    @rule()
    def push_zero(self):
        edit = ablate(SITE, how="zero", reference=np.ones((1, 32), np.float32), at="last")
        self.stack.append((edit, np.zeros_like))

    @rule(n=st.integers(1, 3))
    def pop(self, n):
        del self.stack[-n:]

    @invariant()
    def the_site_holds_what_the_formulas_say(self):
        expected = self.plain[SITE, "last"].astype(np.float64)
        for _, formula in self.stack:
            expected = formula(expected)
        seen = run(self.model, TEXTS, *(edit for edit, _ in self.stack), capture=[SITE])
        scale = np.abs(self.plain[SITE, "last"]).max() + np.abs(expected).max()
        assert np.abs(seen[SITE, "last"] - expected).max() < rounding(self.model) * scale
        assert len(seen.ledger) == len(self.stack)

    @invariant()
    def nothing_stays_behind(self):
        again = run(self.model, TEXTS, capture=[SITE])
        assert np.array_equal(again.logits, self.plain.logits)
        assert relative_error(again[SITE], self.plain[SITE]) == 0.0


@pytest.fixture
def machine(llama):
    """The state machine on the tiny Llama."""
    return type("StackOnLlama", (Stack,), {"model": llama})


def test_edits_nest(machine):
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine, settings=settings(max_examples=15, stateful_step_count=8, deadline=None)
    )
