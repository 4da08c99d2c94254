"""A failed contract makes invalid what used what it speaks for, with the chain, and no more."""

import json

import pytest

USES = """
from interp.ledger import Entry, report

def used(verb, site):
    report("run", [Entry(verb, verb, site, "all", (0,), ((3,),), (4,), 1, 1.0, 0.5, 2.0)])

@pytest.mark.contract("steer", "resid_post")
def test_steering(model):
    assert "{broken}" != "steer"

@pytest.mark.contract("patch")
@pytest.mark.contract("ablate")
def test_replacing(model):
    raise {error}

@pytest.fixture
def pushed(model):
    used("steer", "resid_post(3)")

@pytest.mark.finding("area.steered")
def test_steered(model, pushed, measured):
    measured("x", 1)

@pytest.mark.finding("area.patched")
def test_patched(model, measured):
    used("patch", "resid_pre(0)")
    measured("x", 1)
"""


def outcome(project, broken="", error=""):
    """Run the specs with one contract that does not hold, or another one that raises."""
    text = USES.replace("raise {error}", f"raise {error}" if error else "pass")
    project.models("llama-a").spec(text.format(broken=broken))
    result = project.run("--tb=no")
    return result, {spec: verdict for (spec, _), verdict in project.verdicts.items()}


def test_nothing_failed_and_nothing_is_invalid(project):
    result, verdicts = outcome(project)
    assert set(verdicts.values()) == {"holds"}
    assert result.ret == 0


def test_only_what_used_it_is_invalid_and_the_chain_is_told(project):
    result, verdicts = outcome(project, broken="steer")
    assert verdicts["area.steered"] == "invalid"
    assert verdicts["area.patched"] == "holds"
    result.stdout.fnmatch_lines(["*: steer + resid_post", "*-> test_spec::test_steering"])
    assert result.ret == 12


@pytest.mark.parametrize("error", ["ValueError('torn')", "AssertionError('off')"])
def test_a_contract_that_breaks_has_failed_and_any_of_its_markers_counts(project, error):
    result, verdicts = outcome(project, error=error)
    assert verdicts["test_spec::test_replacing"] == "fails"
    assert (verdicts["area.steered"], verdicts["area.patched"]) == ("holds", "invalid")
    assert result.ret == 12


def test_a_value_carries_the_edits_it_rests_on(project):
    outcome(project)
    (part,) = (project.runs[-1] / "parts").glob("*.jsonl")
    rows = [json.loads(line) for line in part.read_text().splitlines()]
    (value,) = [row for row in rows if row["kind"] == "value" and row["spec_id"] == "area.steered"]
    (edit,) = value["ledger"]
    assert (edit["verb"], edit["site"], edit["fired"]) == ("steer", "resid_post(3)", 1)
    assert edit["dose"] == [0.25, 0.25, 0.25]
    assert edit["from_end"] == [-1, -1]
