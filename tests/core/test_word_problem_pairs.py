"""A corrupted word problem differs in one number, and its answer follows from the same steps."""

import re
from pathlib import Path

import pytest

from interp.errors import DataError
from interp.word_problem_pairs import read_word_problem_pairs
from interp.word_problems import ANNOTATION, rows_of

GSM8K = Path(__file__).parents[3] / "shared" / "datasets" / "grade-school-math" / "test.jsonl"
QUESTION = "Ann has 25 boxes of 8 pens and gives 1,100 away in a dozen parts."
STEPS = "<<25*8=200>>200 <<1100-200=900>>900 <<900/12=75>>75\n#### 75"
ROW = {"question": QUESTION, "answer": STEPS}
REFUSED = {
    "an operand from nowhere": {"answer": "<<25*8=200>>200 <<1100-200+1=901>>\n#### 901"},
    "a number that no step uses": {"answer": "<<25*8=200>>200\n#### 200"},
    "a result that is also a number": {"question": QUESTION.replace("8", "200")},
    "a number that stands twice": {"question": QUESTION + " It is 25 boxes."},
    "steps that do not come to the answer": {"answer": STEPS.replace("#### 75", "#### 74")},
    "a step that is wrong": {"answer": STEPS.replace("=900", "=901").replace("900/", "901/")},
    "no steps": {"answer": "#### 75"},
    "a step that is no arithmetic": {"answer": STEPS.replace("25*8", "x(25*8)")},
    "division by nothing": {"answer": STEPS.replace("900/12", "900/(12-12)")},
}
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def differing(clean, corrupted):
    """The numbers in which two questions differ."""
    sides = (
        [one.replace(",", "") for one in NUMBER.findall(side.text)]
        for side in pair(clean, corrupted)
    )
    return [(one, other) for one, other in zip(*sides, strict=True) if one != other]


def pair(*sides):
    """Both sides, which differ in nothing but numbers."""
    assert len({NUMBER.sub("0", side.text) for side in sides}) == 1
    return sides


def again(answer, old, new):
    """The answer, worked out step by step on texts: each result takes the place of the old one."""
    now = {old: new}
    for step, result in ANNOTATION.findall(answer.replace(",", "")):
        given = re.sub(r"\d*\.\d+|\d+", lambda at: str(now.get(at[0], at[0])), step)
        now[result] = eval(given, {})  # noqa: S307  digits and signs of a file that tests read
    return now[result]


def both_sides(found):
    """Clean and corrupted prompts in pairs."""
    return zip(found.prompts[::2], found.prompts[1::2], strict=True)


def test_a_pair_differs_in_one_number_and_its_answer():
    found = read_word_problem_pairs([ROW])
    ((clean, corrupted),) = both_sides(found)
    ((old, new),) = differing(clean, corrupted)
    assert old in {"25", "8", "1100"}
    assert float(corrupted.answers[0]) == again(STEPS, old, new)
    assert clean.text == QUESTION
    assert (clean.foils, corrupted.foils) == (corrupted.answers, clean.answers)
    assert clean.answers == ("75",) != corrupted.answers
    assert [one.labels["kind"] for one in (clean, corrupted)] == ["clean", "corrupted"]
    assert clean.group == corrupted.group


def test_the_change_hangs_on_the_seed_alone():
    first, again_, other = (read_word_problem_pairs([ROW], seed=seed) for seed in (0, 0, 5))
    assert first.digest == again_.digest != other.digest


def test_a_question_can_be_in_several_pairs_of_one_group():
    found = read_word_problem_pairs([ROW], per_question=3)
    corrupted = {other.text for _, other in both_sides(found)}
    assert (len(found), len(corrupted), len(set(found.groups))) == (6, 3, 1)
    assert [one.labels["pair"] for one in found.prompts] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("why", REFUSED)
def test_a_question_whose_steps_do_not_account_for_its_numbers_is_left_out(why):
    assert len(read_word_problem_pairs([{**ROW, **REFUSED[why]}, ROW])) == 2
    with pytest.raises(DataError, match="account for its numbers"):
        read_word_problem_pairs([{**ROW, **REFUSED[why]}])


def test_a_set_that_is_another_is_refused():
    with pytest.raises(DataError, match="not one of gsm8k"):
        read_word_problem_pairs([{"input": "A b?", "target": 3}])


@pytest.mark.skipif(not GSM8K.is_file(), reason="the test set of GSM8K is not beside the project")
def test_every_pair_of_gsm8k_is_worked_out_again():
    answers = {
        row["question"].strip().replace("  ", " "): row["answer"] for _, row in rows_of(GSM8K)
    }
    found = list(both_sides(read_word_problem_pairs(GSM8K)))
    assert len(found) > 300
    for clean, corrupted in found:
        ((old, new),) = differing(clean, corrupted)
        assert len(old) == len(new)
        assert float(corrupted.answers[0]) == pytest.approx(again(answers[clean.text], old, new))
        assert float(corrupted.answers[0]) > 0
        assert clean.answers != corrupted.answers
