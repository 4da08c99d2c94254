"""Prompt sets are fixtures by their file's name, read when a spec asks for them."""

import pytest

GOOD = """\
{"set": "capitals", "version": 1, "source": "ours", "licence": "MIT", "about": "Two."}
{"text": "The capital of France is", "answers": ["Paris"]}
"""


def test_a_prompt_set_is_the_fixture_of_its_name(project):
    project.models("llama-a")
    project.write("fixtures/prompts/capitals.jsonl", GOOD)
    project.spec("def test_it(measured, capitals): measured(capitals.name, len(capitals))")
    project.run().assert_outcomes(passed=1)
    (value,) = project.record.values
    assert (value.metric, value.value) == ("capitals", 1)


def test_a_model_s_specs_read_the_set_that_the_registry_names(project):
    project.models("gpt-a", "llama-b", entry='sets = { capitals = "near" }').models("qwen-c")
    for name in ("capitals", "near"):
        project.write(f"fixtures/prompts/{name}.jsonl", GOOD.replace("capitals", name))
    project.spec(
        """
        import pytest

        @pytest.fixture(scope="module")
        def asked(capitals): return capitals.name

        def test_it(model, measured, asked): measured(asked, 1)
        """
    )
    project.run().assert_outcomes(passed=3)
    names = {value.model_id: value.metric for value in project.record.values}
    assert names == {"gpt-a": "near", "llama-b": "near", "qwen-c": "capitals"}


def test_a_set_that_is_not_there_cannot_be_replaced(project):
    project.models("llama-a", entry='sets = { capitols = "near" }').spec("def test_it(model): pass")
    project.write("fixtures/prompts/capitals.jsonl", GOOD)
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*there is no prompt set 'capitols'*"])


def test_a_malformed_file_fails_only_the_specs_that_ask_for_it(project):
    project.models("llama-a")
    project.write("fixtures/prompts/broken.jsonl", "{ this is not JSON\n{}\n")
    project.spec(
        """
        def test_asks(model, broken): pass

        def test_does_not(model, measured): measured("x", 1)
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*DataError*", "*where: *broken.jsonl*"])


@pytest.mark.parametrize("name", ["model", "measured", "profile", "tmp_path", "two-hop"])
def test_a_name_that_is_taken_or_impossible_is_a_usage_error(project, name):
    project.models("llama-a").spec("def test_it(model): pass")
    project.write(f"fixtures/prompts/{name}.jsonl", "")
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{name}.jsonl failed: '{name}' is*"])


HOPS = """\
id,e1,r1,e2,r2,e3,e1_label,e2_label,e2_type,e2_aliases,e3_label,e3_aliases,r1_type,r2_type,\
r1_template,r2_template,source_prompt
0,Q1,P1,Q2,P2,Q3,Imagine,John Lennon,human,[],Yoko Ono,[],performer,spouse,\
the performer of {},the spouse of {},the spouse of the performer of Imagine is
"""


def test_a_table_of_two_hops_is_a_prompt_set(project):
    project.models("llama-a")
    project.write("fixtures/prompts/hops.csv", HOPS)
    project.spec("def test_it(measured, hops): measured(hops.groups[0], len(hops))")
    project.run().assert_outcomes(passed=1)
    assert [value.metric for value in project.record.values] == ["John Lennon"]


def test_a_set_can_be_read_from_a_file_of_the_user_s(project):
    project.models("llama-a")
    project.write("fixtures/prompts/hops.jsonl", GOOD)
    project.write("elsewhere/mine.csv", HOPS)
    project.spec("def test_it(measured, hops): measured(hops.name, len(hops))")
    project.run("--prompts", "hops=elsewhere/mine.csv").assert_outcomes(passed=1)
    assert [value.metric for value in project.record.values] == ["mine"]


@pytest.mark.parametrize("word", ["hops=nowhere.csv", "hops", "=pytest.ini", "pots=pytest.ini"])
def test_a_file_or_set_that_is_not_there_is_a_usage_error(project, word):
    project.models("llama-a").spec("def test_it(model): pass")
    project.write("fixtures/prompts/hops.jsonl", GOOD)
    result = project.run("--prompts", word)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--prompts*failed*"])


def test_two_files_of_one_name_are_a_usage_error(project):
    project.models("llama-a").spec("def test_it(model): pass")
    project.write("fixtures/prompts/hops.jsonl", GOOD)
    project.write("fixtures/prompts/hops.csv", HOPS)
    assert project.run().ret == 4
