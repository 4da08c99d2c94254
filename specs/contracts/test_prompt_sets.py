"""A split is a split, a stranger is a stranger, and too few items carry no verdict.

Rows of a test split in the training split, or donors that are the recipients, make any effect; a
permutation keeps one row in its place more often than not.

Source: contract of `interp.PromptSet`; "leakage" among the manipulation checks of every protocol.
"""

import numpy as np
import pytest

from interp import PromptSet
from interp.errors import InconclusiveError
from interp.prompts import Prompt
from interp.stats import proportion

pytestmark = [pytest.mark.contract]


@pytest.fixture
def prompts():
    """Twenty prompts of ten groups, every other one for training; answers shared across groups."""
    rows = (
        Prompt(
            text=f"prompt {number}",
            answers=(f"answer {number % 7}",),
            group=f"group {number // 2}",
            split="train" if number % 2 else "test",
            labels={"kind": "odd" if number % 3 else "even"},
        )
        for number in range(20)
    )
    return PromptSet("made", tuple(rows))


def test_a_split_holds_its_own_prompts_and_no_others(prompts):
    train, test = (prompts.only(split=name) for name in ("train", "test"))
    assert {prompt.split for prompt in test.prompts} == {"test"}
    assert {prompt.text for prompt in train.prompts} == {f"prompt {i}" for i in range(1, 20, 2)}
    assert {prompt.labels["kind"] for prompt in prompts.only(kind="odd").prompts} == {"odd"}


@pytest.mark.parametrize("seed", range(10))
def test_no_row_is_its_own_donor_or_shares_its_answer(prompts, seed):
    for row, donor in zip(prompts.prompts, prompts.derange(seed=seed).prompts, strict=True):
        assert row.group != donor.group
        assert not set(row.answers) & set(donor.answers)


def test_too_few_are_inconclusive(prompts):
    few = np.arange(len(prompts)) < 3
    assert len(prompts.where(few, at_least=3)) == proportion(few[:3]).needs(3).n == 3
    with pytest.raises(InconclusiveError, match="too few prompts"):
        prompts.where(few, at_least=4)
    with pytest.raises(InconclusiveError, match="too few items"):
        proportion(few[:3]).needs(4)
