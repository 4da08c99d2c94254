"""`--redact-prompts`: no file of a run holds a prompt, and runs can still be compared."""

import json

import pytest

PRIVATE = "The patient Jane Roe was admitted with"
LISTED = "Dear colleague, the password of the ward is"
SPEC = f"""
from interp.charts import HeatMap, Panel
from interp.ledger import report
from interp.encoded import Encoded
from interp.prompts import as_prompt_set

@pytest.fixture
def asked(ward):
    report("run", (), encoded=Encoded(ward, ((1, 2),), ({{}},), ((),), ((),)))
    texts = as_prompt_set([{LISTED!r}])
    report("run", (), encoded=Encoded(texts, ((3, 4),), ({{}},), ((),), ((),)))
    return ward.prompts[0].text

@pytest.mark.finding("area.claim")
def test_claim(model, measured, asked, drawn):
    measured("x", asked, prompt={LISTED!r})
    tokens = tuple(asked.split()[:3])
    panel = Panel("rank", ((1.0, 2.0, 3.0),), ((" Jane", "Roe", "was"),))
    drawn("ranks", HeatMap("ranks", "", "token", "layer", tokens, ("0",), "rank", (panel,)))

@pytest.mark.finding("area.fails")
def test_fails(model, measured, asked):
    print(asked)
    measured("x", 1)
    assert asked == "something else", f"it said {{asked!r}}"

@pytest.mark.finding("area.compares")
def test_compares(model, measured, asked):
    measured("x", 1)
    assert asked == "something else"

@pytest.mark.finding("area.error")
def test_error(model, measured, asked):
    raise ValueError(asked[:20] + "...", repr(asked)[:30])
"""


@pytest.fixture
def ward(project):
    header = {"set": "ward", "version": 1, "source": "here"}
    lines = [json.dumps(header), json.dumps({"text": PRIVATE, "answers": [" pneumonia"]})]
    project.write("fixtures/prompts/ward.jsonl", "\n".join(lines) + "\n")
    project.models("llama-a").spec(SPEC)
    return project


def kept(project):
    files = [path for path in project.runs[-1].rglob("*") if path.is_file()]
    files.append(project.path / "junit.xml")
    return {path.name: path.read_bytes().decode(errors="replace") for path in files}


def leaks(texts, *parts):
    return {name: part for name, text in texts.items() for part in parts if part in text}


def test_without_it_texts_are_kept(ward):
    ward.run("--junitxml", "junit.xml")
    assert leaks(kept(ward), PRIVATE, LISTED)


@pytest.mark.parametrize("args", [(), ("-n", "2")])
def test_no_file_of_the_run_holds_a_prompt_or_a_part_of_one(ward, args):
    start = ward.start if args else ward.run
    result = start(
        *(("-p", "xdist") if args else ()),
        *args,
        "-v",
        "--redact-prompts",
        "--junitxml",
        "junit.xml",
    )
    assert leaks(kept(ward), PRIVATE, LISTED, PRIVATE[:20], "Jane", "Roe", "colleague") == {}
    assert "Jane" not in result.stdout.str()
    record = ward.record
    assert len(record.values) == 3
    assert {end.case.spec_id: end.verdict for end in record.ends} == {
        "area.claim": "holds",
        "area.fails": "fails",
        "area.compares": "fails",
        "area.error": "error",
    }


def test_hashes_stand_for_texts_and_are_the_same_in_every_run(ward):
    told = []
    for _ in range(2):
        ward.run("--redact-prompts", "-k", "claim")
        (value,) = ward.record.values
        told.append((value.value, value.labels, value.prompts, ward.record.charts[0].chart))
    assert told[0] == told[1]
    value, labels, prompts, chart = told[0]
    assert value.startswith("<sha256 ")
    assert labels["prompt"].startswith("<sha256 ")
    assert value != labels["prompt"]
    assert {one["name"] for one in prompts} == {"texts", "ward"}
    assert all(word.startswith("<sha256 ") for word in chart["columns"])
    assert chart["rows"] == ["0"]
    assert chart["panels"][0]["cells"] == [[1.0, 2.0, 3.0]]


def test_a_reason_says_what_it_can(ward):
    ward.run("--redact-prompts", "-k", "fails or error")
    reasons = {end.case.spec_id: end.reason for end in ward.record.ends}
    assert reasons["area.fails"].startswith("it said <sha256 ")
    assert reasons["area.error"].startswith("ValueError: (<sha256 ")
    assert all("--redact-prompts" in end.detail for end in ward.record.ends)
