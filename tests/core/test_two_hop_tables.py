"""Tables of two-hop questions become prompt sets, chained facts too; or they are refused."""

import csv
from pathlib import Path

import pytest

from interp.errors import DataError, RequestError
from interp.prompts import Prompt, PromptSet
from interp.two_hop import names
from interp.two_hop_tables import balanced, entity_shortcut, read_two_hop, relation_shortcut

FACTS = Path(__file__).parents[3] / "shared" / "datasets" / "patchscopes"
ROW = {
    "id": "7", "e1": "Q1", "r1": "P175", "e2": "Q2", "r2": "P26", "e3": "Q3",
    "e1_label": "Imagine", "e1_type": "song", "e1_aliases": "[]", "e1_popularity": "12.0",
    "e2_label": "John Lennon", "e2_type": "human", "e2_aliases": "['Lennon', 'J']",
    "e3_label": "Yoko Ono", "e3_type": "human", "e3_aliases": "['Ono', 'Ono', 'Yoko Ono']",
    "r1_type": "performer", "r2_type": "spouse",
    "r1_template": "the performer of {}", "r2_template": "the spouse of {}",
    "source_prompt": "the spouse of the performer of Imagine is",
}  # fmt: skip


def table(folder, *rows):
    path = folder / "two_hop.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["", *rows[0]])  # the first column is an index without a name
        writer.writeheader()
        writer.writerows({"": "0", **row} for row in rows)
    return path


def test_a_row_is_a_question_with_its_hops_and_shortcuts(tmp_path):
    (prompt,) = read_two_hop(table(tmp_path, ROW)).prompts
    assert prompt.text == "the spouse of the performer of Imagine is"
    assert prompt.answers == ("Yoko Ono", "Ono")
    assert prompt.first_hop.text == "the performer of Imagine is"
    assert prompt.first_hop.answers == ("John Lennon", "Lennon")
    assert prompt.second_hop.text == "the spouse of John Lennon is"
    assert prompt.entity_shortcut.text == "the spouse of Imagine is"
    assert prompt.relation_shortcut.text == "the spouse of the performer is"
    assert prompt.group == "John Lennon"
    assert prompt.labels["popularity"] == 12.0


def test_the_case_and_the_ending_of_the_question_are_kept(tmp_path):
    row = ROW | {"source_prompt": "The spouse of the performer of Imagine is named"}
    prompts = read_two_hop(table(tmp_path, row))
    assert entity_shortcut(prompts).prompts[0].text == "The spouse of Imagine is named"
    assert relation_shortcut(prompts).prompts[0].text == "The spouse of the performer is named"


def test_a_hop_is_asked_as_the_table_says(tmp_path):
    row = ROW | {"first_hop_prompt": "Imagine is sung by", "second_hop_prompt": "John Lennon loves"}
    prompts = read_two_hop(table(tmp_path, row))
    assert prompts.first_hop.prompts[0].text == "Imagine is sung by"
    assert prompts.second_hop.prompts[0].text == "John Lennon loves"


def test_an_entity_that_stands_twice_is_told_by_the_words_before_it(tmp_path):
    row = ROW | {"e1_label": "the"} | {"source_prompt": "the spouse of the performer of the is"}
    (prompt,) = read_two_hop(table(tmp_path, row)).prompts
    assert prompt.spans["e1"] == "performer of the"
    assert prompt.content.endswith(f"{prompt.spans['e1']} is")


@pytest.mark.parametrize("column", ["id", "e2_aliases", "r1_template", "source_prompt"])
def test_a_missing_column_is_named(tmp_path, column):
    row = {name: text for name, text in ROW.items() if name != column}
    with pytest.raises(DataError, match=f"no column '{column}'"):
        read_two_hop(table(tmp_path, row))


@pytest.mark.parametrize(
    "wrong",
    [
        {"e3_aliases": "Ono, Yoko"},
        {"e3_aliases": "[1]"},
        {"r1_template": "the performer of"},
        {"r1_template": "{} has a performer"},
        {"source_prompt": "the spouse of the singer of Imagine is"},
        {"e3_label": ""},
    ],
)
def test_a_row_that_is_not_right_is_named(tmp_path, wrong):
    with pytest.raises(DataError, match="id 7"):
        read_two_hop(table(tmp_path, ROW | wrong))


def test_an_id_twice_an_empty_table_and_no_table_are_refused(tmp_path):
    with pytest.raises(DataError, match="twice"):
        read_two_hop(table(tmp_path, ROW, ROW))
    path = table(tmp_path, ROW)
    path.write_text(path.read_text().partition("\n")[0] + "\n")
    with pytest.raises(DataError, match="empty"):
        read_two_hop(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_two_hop(tmp_path / "nowhere.csv")


def test_each_kind_of_bridge_has_so_many_at_most(tmp_path):
    kinds = ["human"] * 5 + ["city"] * 2
    rows = [ROW | {"id": str(i), "e2_type": kind} for i, kind in enumerate(kinds)]
    prompts = read_two_hop(table(tmp_path, *rows))
    kept = balanced(prompts, most=3).prompts
    assert [one.labels["kind"] for one in kept] == ["human"] * 3 + ["city"] * 2
    assert sorted(int(one.labels["id"]) for one in kept) == [int(one.labels["id"]) for one in kept]
    with pytest.raises(RequestError, match="no such label"):
        balanced(prompts, most=3, label="sort")


def test_prompts_without_shortcuts_say_so():
    plain = PromptSet("texts", (Prompt(text="a"),))
    with pytest.raises(RequestError, match="no such companions"):
        entity_shortcut(plain)


def test_the_lenient_metric_takes_parts_of_words_and_the_other_does_not():
    assert names("in LAOS .", ["Lao"])
    assert not names("in LAOS .", ["Lao"], whole_words=True)
    assert names("of Lao.", ["Lao"], whole_words=True)
    assert not names("of Thai", ["Lao"])


def test_folders_without_a_chain_are_refused(tmp_path):
    with pytest.raises(DataError, match="make a chain"):
        read_two_hop(tmp_path)
    (tmp_path / "company_ceo.tsv").write_text("subject\nApple\n")
    with pytest.raises(DataError, match="not a table of facts"):
        read_two_hop(tmp_path)


def test_two_tables_of_facts_make_a_chain(tmp_path):
    head = "subject\tobject\tprompt_target\n"
    made = "iPod\tApple\tThe company which developed x\n" * 2
    both = [f"Clang\t{name}\tThe company which developed x\n" for name in ("Apple", "Intel")]
    (tmp_path / "product_by_company.tsv").write_text(head + made + "".join(both))
    (tmp_path / "company_ceo.tsv").write_text(head + "Apple\tTim Cook\tThe name of the CEO of x\n")
    (prompt,) = read_two_hop(tmp_path).prompts
    assert prompt.text == "The name of the CEO of the company which developed iPod is"
    assert (prompt.group, prompt.answers) == ("Apple", ("Tim Cook",))
    assert prompt.first_hop.text == "The company which developed iPod is"


@pytest.mark.skipif(not FACTS.is_dir(), reason="no tables of Patchscopes beside the project")
def test_the_tables_of_patchscopes_chain():
    read = read_two_hop(FACTS)
    assert len(read) == 196
    assert {one.labels["relation"] for one in read.prompts} == {
        "company_ceo", "country_capital_city", "country_currency",
    }  # fmt: skip
    answers = {answer for one in read.prompts for answer in one.answers}
    assert not any("\\" in answer for answer in answers)
