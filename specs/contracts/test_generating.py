"""Decoding with a cache, edited or not, is the same as computing everything again at each step.

Steering that a cache makes miss the new tokens, or that leaks into them when it should not, gives
another text here. The bite: edits fire on the tokens of their own phase, all of them.

Source: contract of `interp.generate`; a hook that leaked into decoding was read as a finding in
"LLaMA vs GPT-2 Activation Patching Comparison", 2025-10-20.
"""

from dataclasses import replace

import numpy as np
import pytest

from interp import generate, patch, random_direction, recompute, resid_post, run, steer

pytestmark = [pytest.mark.contract("generate")]


@pytest.fixture
def edits(model, mixed_lengths):
    """Edits of every kind of phase: everywhere, prompt only, new tokens only, one position."""
    site = resid_post(model.layer("middle"))
    push = random_direction(model, site, seed=4)
    doses = [steer(site, push, alpha=dose, unit="median_norm") for dose in (0.5, 1.0, 4.0)]
    given = np.roll(run(model, mixed_lengths, capture=[site])[site, "last"], 1, axis=0)
    phases = {phase: [one.during(phase) for one in doses] for phase in ("prompt", "generated")}
    return {"all": doses, **phases, "last": [patch(site, given, at="last")]}


def texts(model, prompts, edits):
    """What each of these edits makes of the prompts, decoded with a cache."""
    return tuple(generate(model, prompts, one, max_new_tokens=4).new_ids for one in edits)


@pytest.mark.parametrize("phase", ["all", "prompt", "generated", "last"])
def test_a_cache_changes_nothing(model, mixed_lengths, edits, phase):
    slowly = [recompute(model, mixed_lengths, one, max_new_tokens=4) for one in edits[phase]]
    assert texts(model, mixed_lengths, edits[phase]) == tuple(slowly)


def test_the_phases_fire_apart_and_together(model, mixed_lengths, edits):
    nothing = [replace(edits[phase][0], alpha=0.0) for phase in ("all", "prompt", "generated")]
    runs = [generate(model, mixed_lengths, one, max_new_tokens=4) for one in nothing]
    everywhere, prompt, new = (one.ledger[0].fired for one in runs)
    assert everywhere == prompt + new
    assert prompt == sum(runs[0].encoded.lengths)
    assert new > 0
