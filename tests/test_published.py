"""A measured value beside a published one: what may be called a replication, and what may not."""

import dataclasses
from types import SimpleNamespace

import pytest

from interp.errors import DataError
from interp.reports.beside import Reference, all_beside, beside, is_the_model_of
from interp.reports.published import Published, load_published
from interp.reports.values import Value

HUB = {"id": "gemma-2b-it", "source": "google/gemma-2b-it", "quantization": None}
LOCAL = {"id": "llama-world", "source": "llama-world", "quantization": None}


@pytest.fixture(scope="module")
def published(root):
    return load_published(root / "reports" / "published.toml")


@pytest.fixture(scope="module")
def root(request):
    return request.config.rootpath


def entry(**changes):
    known = {
        "id": "p.rate", "source": "A paper, Table 1", "model": "gemma-2b-it", "metric": "rate",
        "value": 0.5, "unit": "1", "status": "read", "comparable": "value", "n": 100,
    }  # fmt: skip
    return Published(**{**known, **changes})


def value(number, *, identity=HUB, low=None, high=None, **changes):
    given = Value(
        "f.claim", 1, "rate", number, low, high, 100, None, "1", "p.rate", {}, None, identity, "x"
    )
    return dataclasses.replace(given, **changes)


def judged(number, paper, *, identity=HUB, reference=None, **changes):
    return beside(value(number, identity=identity, **changes), paper, identity, reference)


def test_inside_the_interval_on_the_paper_s_own_model_is_a_replication():
    assert judged(0.55, entry()).agreement == "replicates"
    assert judged(0.55, entry(low=0.45, high=0.54)).agreement == "differs"
    assert judged(0.55, entry(n=None, margin=0.06)).agreement == "replicates"
    assert judged(0.55, entry(n=None, margin=0.04)).agreement == "differs"


def test_a_count_replicates_exactly_or_not_at_all():
    paper = entry(unit="layers", value=10, n=None)
    assert judged(10, paper, unit="layers").agreement == "replicates"
    assert judged(11, paper, unit="layers").agreement == "differs"


def test_without_interval_n_or_margin_nothing_is_a_replication():
    found = judged(0.5, entry(n=None))
    assert found.agreement == "not comparable"
    assert "no interval, n or margin" in found.why


@pytest.mark.parametrize(
    ("identity", "model", "why"),
    [
        (LOCAL, "llama-2-7b-chat", "llama-world is not llama-2-7b-chat"),
        ({**LOCAL, "id": "gemma-2b-it"}, "gemma-2b-it", "is a folder"),
        ({**HUB, "quantization": "int4"}, "gemma-2b-it", "quantised otherwise"),
        (HUB, "gemma-2b-it-4bit", "quantised otherwise"),
        ({**HUB, "source": "google/gemma-2-2b-it", "id": "gemma-2"}, "gemma-2b-it", "is not"),
        (None, "gemma-2b-it", "about no model"),
    ],
)
def test_another_model_never_replicates_even_with_the_very_same_value(identity, model, why):
    paper = entry(model=model)
    assert why in is_the_model_of(paper, identity)
    assert judged(0.5, paper, identity=identity).agreement == "not comparable"


def test_the_paper_s_model_is_known_by_its_id_or_by_its_name_on_the_hub():
    assert is_the_model_of(entry(), HUB) == ""
    ours = {"id": "LLAMA-2-7B-chat", "source": "meta-llama/Llama-2-7b-chat-hf"}
    assert is_the_model_of(entry(model="llama-2-7b-chat"), ours) == ""
    assert is_the_model_of(entry(model="Gemma-2B-it"), {**HUB, "id": "g"}) == ""


@pytest.mark.parametrize(
    ("number", "low", "high", "agreement"),
    [
        (0.6, 0.5, 0.7, "same direction"),
        (0.1, 0.05, 0.2, "differs"),
        (0.4, 0.2, 0.6, "not comparable"),  # our interval holds no effect
        (0.3, None, None, "not comparable"),  # is no effect
        (0.31, None, None, "same direction"),
    ],
)
def test_another_model_has_a_direction_where_something_is_no_effect(number, low, high, agreement):
    null = Reference(0.3, 0.3, "no effect is 0.3")
    found = judged(number, entry(), identity=LOCAL, reference=null, low=low, high=high)
    assert found.agreement == agreement
    assert "llama-world is not gemma-2b-it" in found.why


def test_a_direction_is_all_that_some_entries_allow():
    null = Reference(0.3, 0.3, "no effect is 0.3")
    assert judged(0.5, entry(comparable="direction"), reference=null).agreement == "same direction"
    assert judged(0.5, entry(comparable="direction")).agreement == "not comparable"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"comparable": "no", "note": "the hook stays on"}, "the hook stays on"),
        ({"status": "recalled"}, "from memory"),
        ({"unit": "nat"}, "another unit"),
    ],
)
def test_what_cannot_be_compared_says_why(changes, why):
    found = judged(0.5, entry(**changes))
    assert (found.agreement, why in found.why) == ("not comparable", True)


def test_what_a_document_claims_is_as_written_with_its_note():
    found = judged(0.9, entry(status="claimed", note="best of all pairs without a null"))
    assert found.published.as_written
    assert found.why.endswith("as written: best of all pairs without a null")


def test_a_run_finds_its_own_reference(published):
    two = {name: published[name] for name in ("arditi.gemma2b.base", "arditi.gemma2b.ablate")}
    base = value(0.2, identity=LOCAL, published="arditi.gemma2b.base", metric="base")
    ablated = value(0.8, identity=LOCAL, published="arditi.gemma2b.ablate")
    other = value(0.1, identity=LOCAL, published="arditi.gemma2b.ablate", spec_id="f.other")
    record = SimpleNamespace(values=(base, ablated, other, value(1.0, published=None)))
    said = [(one.agreement, one.value.spec_id) for one in all_beside(record, two)]
    assert said == [
        ("not comparable", "f.claim"),
        ("same direction", "f.claim"),
        ("not comparable", "f.other"),  # measured no reference of its own
    ]


def test_which_of_two_references_is_meant_is_told_by_labels(published):
    bases = [
        value(rate, identity=LOCAL, published="arditi.gemma2b.base", labels={"layer": layer})
        for layer, rate in ((1, 0.2), (2, 0.9))
    ]
    mine = [
        value(0.5, identity=LOCAL, published="arditi.gemma2b.ablate", labels={"layer": layer})
        for layer in (1, 2, 3)
    ]
    found = all_beside(SimpleNamespace(values=(*bases, *mine)), published)[2:]
    assert [one.agreement for one in found] == ["same direction", "differs", "not comparable"]


def test_the_shipped_values_load_and_refer_to_each_other(published):
    assert len(published) >= 108
    assert published["s003.backpatch.llama3b"].as_written
    assert published["arditi.gemma2b.ablate"].reference == "arditi.gemma2b.base"
    low, high = published["arditi.gemma2b.base"].interval()
    assert (round(low, 3), round(high, 3)) == (0.048, 0.162)  # Wilson, 9 of 100


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('colour = "red"', "unknown field `colour`"),
        ('status = "guessed"', "guessed"),
        ('value = "high"', "value"),
        ('reference = "a.c"', "a.c"),
    ],
)
def test_a_broken_entry_is_refused_by_name(tmp_path, line, told):
    whole = {
        "source": '"s"', "model": '"m"', "metric": '"r"', "value": "1", "unit": '"1"',
        "status": '"read"', "comparable": '"no"',
    }  # fmt: skip
    key, text = line.split(" = ")
    lines = "\n".join(f"{name} = {part}" for name, part in {**whole, key: text}.items())
    path = tmp_path / "published.toml"
    path.write_text(f'["a.b"]\n{lines}\n')
    with pytest.raises(DataError) as caught:
        load_published(path)
    assert told in str(caught.value)
    assert "a.b" in str(caught.value)
