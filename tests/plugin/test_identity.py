"""What identifies a value: the prompts its runs used, its code, its tolerance, its manifest."""

import json

import pytest

from interp.encoded import Encoded
from interp.ledger import MOST_SETS, Watch, report, watching
from interp.plugin.source import hashed
from interp.prompts import Prompt, PromptSet
from interp.reports.manifest import Asked, gpus, without_secrets, write_manifest

MODULE = '''
"""A claim."""
import pytest
LIMIT = 1

def helper(): return LIMIT

@pytest.fixture
def given(): return helper()

@pytest.mark.finding("area.one")
def test_one(given): assert given == 1

class TestMore:
    @pytest.mark.parametrize("x", [1, 2])
    def test_two(self, given, x):
        assert given == x
'''


def encoded(*texts, name="set", tokens=None, **more):
    prompts = PromptSet(name, tuple(Prompt(text=text, **more) for text in texts))
    ids = tokens or tuple((1, len(text)) for text in texts)
    nothing = ((),) * len(texts)
    return Encoded(prompts, ids, ({},) * len(texts), nothing, nothing)


def sets_of(*runs):
    with watching(Watch()) as watch:
        for one in runs:
            report("run", (), encoded=one)
    return watch.prompt_sets()


def test_each_prompt_set_is_named_once_in_an_order_of_its_own():
    a, b, c = encoded("x", "y"), encoded("z"), encoded("z", name="other")
    told = sets_of(a, b, c, a)
    assert told == sets_of(c, b, a, b, b)
    assert [(one["name"], one["n"]) for one in told].count(("set", 2)) == 1
    assert sorted((one["name"], one["n"]) for one in told) == [("other", 1), ("set", 1), ("set", 2)]


def test_words_and_tokens_have_a_digest_each():
    (plain,) = sets_of(encoded("x"))
    (other_tokens,) = sets_of(encoded("x", tokens=((1, 9),)))
    assert plain["digest"] == other_tokens["digest"]
    assert plain["tokens"] != other_tokens["tokens"]
    (other_text,) = sets_of(encoded("y"))
    assert plain["digest"] != other_text["digest"]
    assert plain["tokens"] == other_text["tokens"]


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"answers": ("a",)}, True),
        ({"foils": ("a",)}, True),
        ({"spans": {"e1": "x"}}, True),
        ({"labels": {"kind": "a"}}, False),
        ({"split": "test"}, False),
    ],
)
def test_a_digest_is_of_what_a_run_can_see(change, counts):
    assert (sets_of(encoded("x")) != sets_of(encoded("x", **change))) == counts


def test_a_spec_that_runs_prompts_one_by_one_has_one_line_for_them():
    many = [encoded(f"text {n}") for n in range(MOST_SETS + 1)]
    (one,) = sets_of(*many)
    assert one["n"] == MOST_SETS + 1
    assert sets_of(*reversed(many)) == [one]
    assert sets_of(*many[:-1], encoded("another")) != [one]


def test_a_run_that_nobody_watches_costs_nothing():
    report("run", (), encoded=encoded("x"))


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("LIMIT = 1", "LIMIT = 2", False),
        ("def helper(): return LIMIT", "def helper(): return 1", False),
        ("given == 1", "given == 2", False),
        ('"area.one"', '"area.two"', False),
        ("given == x", "given != x", True),
        ("[1, 2]", "[1, 2, 3]", True),
        ("\n\nclass", "\n\n\n\nclass", True),
    ],
)
def test_the_hash_of_a_spec_moves_with_what_it_stands_on_only(before, after, same):
    assert before in MODULE
    changed = MODULE.replace(before, after)
    assert (hashed(MODULE, "test_one") == hashed(changed, "test_one")) == same


def test_two_specs_of_a_module_have_hashes_of_their_own():
    assert hashed(MODULE, "test_one") != hashed(MODULE, "test_two")


SPEC = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Within:
    abs: float = 0.01
    rel: float | None = None
    kind: str = "within"

@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    measured("x", 1, tolerance=Within())
    measured("y", 1)

@pytest.mark.finding("area.bad")
def test_bad(model, measured):
    measured("x", 1, tolerance=0.01)

@pytest.mark.finding("area.paper")
def test_paper(model, measured):
    measured("x", 1, published="paper.rat")
"""
PAPER = """
["paper.rate"]
source = "A paper"
model = "m"
metric = "rate"
value = 1
unit = "1"
status = "read"
comparable = "no"
note = "none"
"""


@pytest.fixture
def claims(project):
    project.models("llama-a").spec(SPEC)
    return project


def test_a_tolerance_and_the_code_are_kept_with_the_value(claims):
    claims.run("-k", "claim")
    x, y = claims.record.values
    assert x.tolerance == {"kind": "within", "abs": 0.01}
    assert y.tolerance is None
    assert x.spec_hash == y.spec_hash
    assert len(x.spec_hash) == 64
    assert x.prompts == []


def test_what_is_no_tolerance_is_refused(claims):
    claims.run("-k", "bad").stdout.fnmatch_lines(
        ["*RequestError: measured('x') failed: a tolerance is one of the words for it.*"]
    )


def test_an_unknown_published_value_is_refused_at_once_with_the_nearest(claims):
    claims.write("reports/published.toml", PAPER)
    result = claims.run("-k", "paper")
    result.stdout.fnmatch_lines(["*RequestError: measured('x') failed: no published value has*"])
    result.stdout.fnmatch_lines(["*try: *paper.rate*"])
    assert claims.verdicts == {("area.paper", "llama-a"): "error"}
    assert claims.record.values == ()


def test_published_values_are_read_where_the_ini_says_whatever_the_reports_folder(claims):
    claims.write("papers.toml", PAPER.replace("paper.rate", "paper.rat"))
    claims.run("-k", "paper", "-o", "interp_published=papers.toml", "--reports-dir", "elsewhere")
    assert len(list((claims.path / "elsewhere" / "runs").glob("2*"))) == 1


def test_a_broken_file_of_published_values_stops_the_session(claims):
    claims.write("reports/published.toml", PAPER.replace('unit = "1"', "unit = 1"))
    result = claims.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*an entry of the published values is not what it must be*"])


@pytest.mark.parametrize(
    ("args", "deselected", "paths"),
    [
        ((), 0, ["{root}"]),
        (("specs",), 0, ["specs"]),
        (("-k", "claim"), 2, ["{root}"]),
        (("specs/test_spec.py::test_claim",), 0, ["specs/test_spec.py::test_claim"]),
    ],
)
def test_the_manifest_says_whether_everything_was_asked_for(claims, args, deselected, paths):
    claims.run(*args)
    manifest = claims.record.manifest
    assert manifest["deselected"] == deselected
    assert manifest["paths"] == [path.format(root=claims.path) for path in paths]


def test_without_a_word_about_it_a_run_is_no_gate(claims):
    claims.run("-k", "claim")
    assert claims.record.manifest["gate"] is False
    claims.run("-k", "claim", "--gate")
    assert claims.record.manifest["gate"] is True


def test_the_manifest_has_versions_and_threads_and_no_other_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    monkeypatch.setenv("MY_OWN", "a variable of mine")
    argv = ["--token", "s3cret", "--api-key=s3cret", "hf_abcdefghijklmnop", "-k", "tokens"]
    write_manifest(tmp_path, root=tmp_path, argv=argv, models=[], profile="quick", asked=Asked())
    text = (tmp_path / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["threads"]["OMP_NUM_THREADS"] == "3"
    needed = {"python", "torch", "transformers", "tokenizers", "numpy", "interp", "pytest", "xdist"}
    assert needed <= manifest["versions"].keys()
    assert {"platform", "machine", "cpus", "gpus", "git", "host"} <= manifest.keys()
    assert manifest["argv"] == ["--token", "***", "--api-key=***", "***", "-k", "tokens"]
    for secret in ("s3cret", "hf_abc", "a variable of mine"):
        assert secret not in text


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        (["https://me:pw@host/x"], ["https://***@host/x"]),
        (["--hf-token=a b"], ["--hf-token=***"]),
        (["-o", "password=x"], ["-o", "password=***"]),
        (["--token"], ["--token"]),
        (["-k", "auth and not token"], ["-k", "auth and not token"]),
        (["ghp_0123456789abcdef"], ["***"]),
    ],
)
def test_what_looks_like_a_secret_is_hidden(argv, kept):
    assert without_secrets(argv) == kept


def test_accelerators_are_named_with_their_driver(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 570.1'\necho 'NVIDIA H200, 570.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == ["NVIDIA H200, 570.1"] * 2
    tool.unlink()
    assert gpus() == []
