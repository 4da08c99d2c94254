"""How far values move under changes that should not matter, and what that does to a claim."""

import json
from pathlib import Path

import pytest

from interp.calibrate import calibrate
from interp.errors import DataError
from interp.reports.noise import Noise, find_noise, is_visible, load_noise, noise_file, save_noise
from interp.reports.values import Value

MODELS = Path(__file__).with_name("identified_models.py").read_text()
PLACE = {"backend": "torch", "device": "cpu", "dtype": "float32", "quantization": ""}
CLAIM = """
@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    gain = measured("gain", {value}, unit="{unit}")
    assert getattr(gain, "mean", gain) > {bound}
"""
NOISE = Noise("area.claim", 1, "gain", {}, "", PLACE, "w", 0.01, 0.02, "order", 5)


@pytest.fixture
def light(project, monkeypatch):
    """A project with a light model, in which commands are given."""
    project.write("conftest.py", MODELS)
    project.models("llama-a")
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p interp.plugin")
    return project


@pytest.mark.parametrize(
    ("value", "unit", "bound", "spread", "verdict"),
    [
        ("0.01", "1", 0, 0.02, "inconclusive"),
        ("0.01", "1", 1, 0.02, "inconclusive"),
        ("-0.01", "1", -1, 0.02, "inconclusive"),
        ("0.02", "1", 0, 0.02, "inconclusive"),
        ("0.03", "1", 0, 0.02, "holds"),
        ("0.03", "1", 1, 0.02, "fails"),
        ("0.0", "1", -1, 0.0, "holds"),
        ("1e-9", "p", 0, 0.02, "holds"),
        ("Estimate(0.01, 0.005, 0.015, 8)", "1", 0, 0.02, "inconclusive"),
        ("Estimate(0.01, -0.03, 0.05, 8)", "1", 0, 0.02, "holds"),
        ("True", "1", 0, 1.0, "inconclusive"),
    ],
)
def test_a_claim_that_is_no_larger_than_its_noise_is_inconclusive(
    light, value, unit, bound, spread, verdict
):
    light.spec(CLAIM.format(value=value, unit=unit, bound=bound))
    keep(light, spread=spread)
    result = light.run()
    assert light.verdicts == {("area.claim", "llama-a"): verdict}
    (row,) = light.record.values
    assert row.noise == spread
    assert result.ret == (1 if verdict == "fails" else 0)
    if verdict == "inconclusive":
        (end,) = light.record.ends
        assert end.reason.startswith("gain = ")
        assert end.reason.endswith(f"no larger than its noise, {spread:.3f} (order)")
        assert result.parseoutcomes() == {"inconclusive": 1}


def keep(light, model="llama-a", **different):
    row = Noise(**{**vars(NOISE), **different})
    save_noise(noise_file(light.path / "reports", model), [row])


@pytest.mark.parametrize(
    "different",
    [
        {"weights": "others"},
        {"environment": {**PLACE, "dtype": "bfloat16"}},
        {"spec_version": 2},
        {"labels": {"layer": 1}},
        {"params": "e1"},
        {"model": "llama-b"},
    ],
    ids=str,
)
def test_the_noise_of_something_else_says_nothing(light, different):
    light.spec(CLAIM.format(value="0.01", unit="1", bound=0))
    keep(light, **different)
    light.run()
    assert light.verdicts == {("area.claim", "llama-a"): "holds"}
    assert light.record.values[0].noise is None


def test_an_error_stays_an_error(light):
    light.spec(CLAIM.format(value="0.01", unit="1", bound="undefined"))
    keep(light)
    light.run()
    assert light.verdicts == {("area.claim", "llama-a"): "error"}


def test_the_summary_shows_a_noise_that_its_digits_can_tell(light):
    light.spec(CLAIM.format(value="Estimate(0.5, 0.4, 0.6, 8)", unit="1", bound=0))
    keep(light, spread=0.0004)
    assert "] noise" not in light.run().stdout.str()
    keep(light, spread=0.02)
    light.run().stdout.fnmatch_lines(["*gain*0.500*[[]0.400, 0.600] noise 0.020*8*"])


@pytest.mark.parametrize(
    ("value", "noise", "seen"),
    [
        (0.5, 0.0004, False),
        (0.5, 0.0006, True),
        (1.23e-5, 4e-8, False),
        (1.23e-5, 6e-8, True),
        (4321.0, 4.0, False),
        (4321.0, 6.0, True),
        (7, 0.0, False),
        (7, 1.0, True),
    ],
)
def test_what_is_visible_is_more_than_half_of_the_last_digit(value, noise, seen):
    assert is_visible(value, noise) is seen


GOOD = json.dumps({**vars(NOISE)})
BROKEN = {
    "torn": GOOD[:40],
    "not a number": GOOD.replace("0.02", "NaN"),
    "too large": GOOD.replace("0.02", "1e999"),
    "negative": GOOD.replace("0.02", "-0.02"),
    "a word": GOOD.replace("0.02", '"0.02"'),
    "lacking": GOOD.replace('"spread"', '"spraed"'),
    "another kind": GOOD.replace('"kind": "noise"', '"kind": "verdict"'),
    "a list": f"[{GOOD}]",
    "twice": f"{GOOD}\n{GOOD}",
    "conflict": f"<<<<<<< HEAD\n{GOOD}",
    "not text": "\udcff",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_damaged_is_refused_with_its_line(tmp_path, text):
    path = tmp_path / "noise" / "a.jsonl"
    path.parent.mkdir()
    path.write_text(f"\n{text}\n", errors="surrogateescape")
    with pytest.raises(DataError, match="what it must be") as caught:
        load_noise(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_whole_comes_back_as_it_was(tmp_path):
    path = tmp_path / "noise" / "a.jsonl"
    save_noise(path, [NOISE])
    assert list(load_noise(path).values()) == [NOISE]
    assert load_noise(tmp_path / "none.jsonl") == {}


def test_a_damaged_file_stops_a_session_and_a_calibration_before_they_start(light):
    light.spec(CLAIM.format(value="0.01", unit="1", bound=0), "findings/test_it.py")
    light.write("reports/noise/llama-a.jsonl", "{torn")
    result = light.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: a line of this noise file*", "  where:    *a.jsonl:1"])
    with pytest.raises(DataError, match="noise file"):
        calibrate()
    assert light.run("--vary", "repeat").ret == 0


def test_what_a_session_varied_is_in_its_manifest(light):
    light.spec("def test_it(model): assert model.spec.attn_implementation == 'eager'")
    assert light.run("--vary", "eager").ret == 0
    assert light.record.manifest["vary"] == "eager"
    light.run()
    assert light.record.manifest["vary"] == "plain"


def test_rows_that_cannot_be_varied_are_an_error_not_a_silence(light):
    light.spec("def test_it(model): pass")
    result = light.run("--vary", "order")
    assert result.ret == 11
    result.stdout.fnmatch_lines(["*--vary order failed: only a model of this library*"])


def test_threads_are_set_before_torch_and_never_after(light, monkeypatch):
    light.spec("import os\ndef test_it(): assert os.environ['OMP_NUM_THREADS'] == '2'")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert light.start("--vary", "threads-2").ret == 0
    light.write("conftest.py", "import sys\nsys.modules['torch'] = sys")
    result = light.start("--vary", "threads-2")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --vary threads-2: torch is imported already*"])


def test_a_variation_that_an_engine_does_not_have_is_refused(light, monkeypatch):
    light.spec("def test_it(model): pass")
    light.models("on-mlx", entry='backend = "mlx"')
    monkeypatch.setattr("interp.plugin.selection.to_install", lambda _: "")
    result = light.run("--vary", "eager")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --vary eager failed: the mlx backend has no such*"])
    assert light.run("--vary", "eager", "--model", "llama-a").ret == 0
    assert light.run("--vary", "repeat").ret == 0


def test_workers_know_the_noise_too(light):
    light.spec(CLAIM.format(value="0.01", unit="1", bound=0))
    keep(light)
    light.start("-p", "xdist", "-n", "1")
    assert light.verdicts == {("area.claim", "llama-a"): "inconclusive"}


def test_a_value_about_no_model_has_no_noise():
    value = Value("a", 1, "x", 0.1, None, None, None, None, "1", None, {}, None, None, "n")
    assert find_noise({"a": {}}, value, "") is None
