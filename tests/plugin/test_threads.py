"""Tiny matrices are computed by one thread; what the user has set is left alone."""

import pytest

SPEC = """
import os

@pytest.mark.finding("area.threads")
def test_threads(model, measured):
    measured("threads", os.environ.get("OMP_NUM_THREADS", "unset"))
"""


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("3", "3")])
def test_small_models_get_one_thread(project, monkeypatch, given, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    project.models("llama-a").spec(SPEC)
    project.run()
    (value,) = project.record.values
    assert value.value == expected


def test_one_large_model_is_enough_to_keep_all_threads(project, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    project.models("llama-a", "llama-b").spec(SPEC)
    weights = project.path / "fixtures" / "weights" / "llama-b" / "model.safetensors"
    with weights.open("r+b") as file:
        file.truncate(300_000_000)  # a hole: it takes no room
    project.run()
    assert {value.value for value in project.record.values} == {"unset"}
