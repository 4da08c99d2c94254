"""JUnit: every test with its values, also from workers, and what the run was as a whole."""

import platform
import xml.etree.ElementTree as ET

import pytest

SPEC = """
@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    measured("rate", Estimate(0.5, 0.25, 0.75, 20), layer=3, published="paper.rate", unit="prob")
    measured("word", "a|b<c>\\x1b[31m\\u202e")

@pytest.mark.finding("area.many")
def test_many(model, measured):
    for layer in range(40): measured("rate", Estimate(0.5, 0.25, 0.75, 20), layer=layer)
"""
PAPER = """
["paper.rate"]
source = "A paper, Table 1"
model = "llama-a"
metric = "rate"
value = 0.5
unit = "prob"
status = "read"
comparable = "value"
"""


@pytest.fixture
def papers(project):
    project.write("reports/published.toml", PAPER)
    project.models("llama-a", "gpt-b").spec(SPEC)
    return project


def junit_of(project, *args, run="run"):
    plugin = ("-p", "xdist") if "-n" in args else ()
    getattr(project, run)(*plugin, *args, "--junitxml", "junit.xml")
    return ET.parse(project.path / "junit.xml").getroot()  # noqa: S314  our own file


def properties_of(element):
    return {one.get("name"): one.get("value") for one in element.findall("properties/property")}


def cases_of(root):
    return {one.get("name"): properties_of(one) for one in root.iter("testcase")}


@pytest.mark.parametrize("args", [(), ("-n", "2")])
def test_values_units_and_papers_are_properties_of_their_test(papers, args):
    found = cases_of(junit_of(papers, *args, run="start" if args else "run"))
    for model in ("llama-a", "gpt-b"):
        told = found[f"test_claim[{model}]"]
        assert told["interp.verdict"] == "holds"
        assert told["interp.rate[layer=3]"] == "0.5"
        assert told["interp.rate[layer=3].low"] == "0.25"
        assert told["interp.rate[layer=3].n"] == "20"
        assert told["interp.rate[layer=3].unit"] == "prob"
        assert told["interp.rate[layer=3].published"] == "paper.rate"
        assert told["interp.word"].startswith("a|b<c>")
        assert "\x1b" not in told["interp.word"]


def test_the_accepted_value_stands_beside_the_measured_one(papers):
    environment = {"dtype": "float32"}
    row = {"kind": "value", "finding": "area.claim", "version": 1, "environment": environment}
    papers.baseline("llama-a", {**row, "metric": "rate", "labels": {"layer": 3}, "value": 0.25})
    found = cases_of(junit_of(papers, "-k", "claim"))
    assert found["test_claim[llama-a]"]["interp.rate[layer=3].baseline"] == "0.25"
    assert "interp.word.baseline" not in found["test_claim[llama-a]"]
    assert "interp.rate[layer=3].baseline" not in found["test_claim[gpt-b]"]


def test_a_test_has_fifty_properties_at_most_and_says_what_is_left_out(papers):
    told = cases_of(junit_of(papers))["test_many[llama-a]"]
    assert len(told) <= 50
    kept = [name for name in told if name.endswith("]")]
    assert int(told["interp.values_left_out"]) == 40 - len(kept)
    assert all(f"{name}.high" in told for name in kept)


@pytest.mark.parametrize("args", [(), ("-n", "2")])
def test_the_run_is_a_property_of_the_suite(papers, args):
    root = junit_of(papers, *args, run="start" if args else "run")
    (suite,) = root.iter("testsuite")
    told = properties_of(suite)
    assert told["interp.run"] == papers.runs[-1].name
    assert told["interp.models"] == "llama-a,gpt-b"
    assert told["interp.gate"] == "false"
    assert told["interp.version.python"] == platform.python_version()
    assert told["interp.version.pytest"] == pytest.__version__


def test_a_reader_that_is_strict_can_have_none(papers):
    root = junit_of(papers, "-o", "interp_junit=none")
    assert not list(root.iter("property"))


def test_another_word_is_refused(papers):
    result = papers.run("-o", "interp_junit=some")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*interp_junit = 'some'*all, none*"])
