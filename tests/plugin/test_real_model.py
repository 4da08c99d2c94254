"""The whole way once, with a real model, in a project that is not this repository."""

PROMPTS = """\
{"set": "capitals", "version": 1, "source": "ours", "licence": "MIT", "about": "Two."}
{"text": "The capital of France is", "answers": ["Paris"]}
{"text": "The capital of Italy is", "answers": ["Rome"]}
"""
SPEC = """
import pytest
from interp import run
from interp.stats import proportion

@pytest.mark.contract
def test_a_run_repeats_itself(model, capitals):
    assert (run(model, capitals).logits == run(model, capitals).logits).all()

@pytest.mark.finding("capitals.known", source="ours")
def test_capitals_are_known(model, capitals, measured):
    right = measured("correct", proportion(run(model, capitals).correct))
    assert right.mean > 0
"""


def test_a_real_model_is_loaded_measured_and_identified(project, pytestconfig):
    shipped = pytestconfig.rootpath / "fixtures" / "checkpoints" / "llama-world"
    project.write("fixtures/models.toml", f'[mine]\npath = "{shipped}"\n')
    project.write("fixtures/prompts/capitals.jsonl", PROMPTS)
    project.write("specs/test_capitals.py", SPEC)
    result = project.start()
    result.assert_outcomes(passed=2)
    (value,) = project.record.values
    assert (value.spec_id, value.n, value.model_id) == ("capitals.known", 2, "mine")
    assert (value.model["backend"], value.model["dtype"]) == ("torch", "float32")
    assert len(value.model["weights_digest"]) == 64
    assert value.items is not None
    (load,) = project.record.loads
    assert load.identity == value.model
    assert "ModelNotFreedWarning" not in result.stdout.str()
    loaded = "-- mine: loaded in * s, * in memory, 2 specs --"
    result.stdout.fnmatch_lines([loaded, "exit 0: all is well"])
