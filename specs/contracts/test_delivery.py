"""What an edit says is what the site gets, and the ledger says so.

The change measured at the site equals alpha times the vector; a direction projected out is gone;
a generation's edit fires once for every prompt position and every token fed back.

Source: manipulation checks "delivery" and "hook scope" of the protocol behind every finding here.
"""

import numpy as np
import pytest

from interp import (
    generate,
    project_out,
    random_direction,
    relative_error,
    resid_post,
    rounding,
    run,
    steer,
)

depths = pytest.mark.parametrize("depth", ["first", "middle", "last"])


@pytest.mark.contract("steer")
@depths
def test_the_change_at_the_site_is_alpha_times_the_vector(model, mixed_lengths, depth):
    site = resid_post(model.layer(depth))
    plain = run(model, mixed_lengths, capture=[site])
    push = random_direction(model, site, seed=1)
    size = float(np.median(np.linalg.norm(plain[site, "last"], axis=-1)))
    steered = run(model, mixed_lengths, steer(site, push, alpha=size, at="last"), capture=[site])
    change = steered[site, "last"] - plain[site, "last"]
    expected = np.tile(size * push.vector, (len(change), 1))
    assert relative_error(change, expected) < 10 * rounding(model)


@pytest.mark.contract("project_out")
@depths
def test_a_projected_direction_is_gone_and_was_there(model, mixed_lengths, depth):
    site = resid_post(model.layer(depth))
    gone = random_direction(model, site, seed=2)
    plain = run(model, mixed_lengths, capture=[site])
    after = run(model, mixed_lengths, project_out(site, gone), capture=[site])
    before = np.abs(plain[site, "last"] @ gone.unit)
    left = np.abs(after[site, "last"] @ gone.unit)
    assert left.max() < rounding(model) * np.abs(plain[site, "last"]).max() < before.max()


@pytest.mark.contract("generate")
def test_an_edit_fires_on_every_prompt_position_and_every_token_fed_back(model, mixed_lengths):
    site = resid_post(model.layer("middle"))
    edit = steer(site, random_direction(model, site, seed=3), alpha=0.0)
    generated = generate(model, mixed_lengths, edit, max_new_tokens=3)
    (line,) = generated.ledger
    prompt_positions = sum(generated.encoded.lengths)
    assert prompt_positions < line.fired <= prompt_positions + 2 * len(mixed_lengths)
