"""Public sets of word problems become prompt sets: right answers, whole questions, or a refusal."""

import json
from pathlib import Path

import pytest

from interp.errors import DataError
from interp.word_problems import read_word_problems

GSM8K = Path(__file__).parents[3] / "shared" / "datasets" / "grade-school-math" / "test.jsonl"
ROWS = {
    "gsm8k": {"question": "A  b?", "answer": "x <<2*3=6>>6\ny <<6+1,200=1206>>\n#### 1,206"},
    "svamp": {"Body": "A b.", "Question": "C?", "Answer": 7.0},
    "gsm_hard": {"input": "A b?", "target": -3.5},
    "multi_arith": {"question": " A b? ", "final_ans": "12"},
}
ANSWERS = {"gsm8k": "1206", "svamp": "7", "gsm_hard": "-3.5", "multi_arith": "12"}
TEXTS = {"gsm8k": "A b?", "svamp": "A b. C?", "gsm_hard": "A b?", "multi_arith": "A b?"}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("layout", ["lines", "list"])
def test_a_set_is_read_as_published(tmp_path, name, layout):
    row = json.dumps(ROWS[name])
    (tmp_path / "set").write_text(f"[{row}, {row}]" if layout == "list" else f"{row}\n{row}\n")
    read = read_word_problems(name, tmp_path / "set")
    assert [one.answers for one in read.prompts] == [(ANSWERS[name],)] * 2
    assert [one.text for one in read.prompts] == [TEXTS[name]] * 2


@pytest.mark.parametrize("name", ROWS)
def test_rows_from_elsewhere_are_the_same_set(tmp_path, name):
    (tmp_path / "set").write_text(json.dumps(ROWS[name]))
    rows = (row for row in [ROWS[name]])
    assert (
        read_word_problems(name, rows).digest == read_word_problems(name, tmp_path / "set").digest
    )


def test_results_of_steps_are_kept_but_for_the_last(tmp_path):
    (tmp_path / "set").write_text(json.dumps(ROWS["gsm8k"]))
    assert read_word_problems("gsm8k", tmp_path / "set").prompts[0].labels == {
        "steps": 2,
        "results": "6",
    }


def test_copies_with_other_names_of_columns(tmp_path):
    (tmp_path / "set").write_text(json.dumps({"instruction": "A?", "response": "5"}))
    assert read_word_problems("gsm_hard", tmp_path / "set").prompts[0].answers == ("5",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gsm9k", "{}", "no such set"),
        ("gsm8k", "", "empty"),
        ("gsm8k", "{", "cannot be read"),
        ("gsm8k", '{"input": "A?", "target": 3}', "not one of gsm8k"),
        ("gsm8k", '{"question": "A?", "answer": "none"}', "number as its answer"),
    ],
)
def test_what_is_no_such_set_is_refused(tmp_path, name, content, message):
    (tmp_path / "set").write_text(content)
    with pytest.raises(DataError, match=message):
        read_word_problems(name, tmp_path / "set")


@pytest.mark.skipif(not GSM8K.is_file(), reason="the test set of GSM8K is not beside the project")
def test_the_whole_test_set_of_gsm8k_is_read():
    read = read_word_problems("gsm8k", GSM8K)
    assert len(read) == 1319
    assert len(set(read.groups)) == 1319
    assert read.prompts[0].answers == ("18",)
    assert read.prompts[0].labels == {"steps": 2, "results": "9"}
