"""A test run compares with the baselines and never writes them, whatever it finds."""

import pytest
from typer.testing import CliRunner

from interp.cli import app

CLAIM = """
@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    value = measured("top1", {value}, layer=3)
    assert value > 0.5
"""


@pytest.fixture
def accepted(project):
    """A project whose one value was accepted, and a look at all bytes of its baselines."""
    project.models("llama-a").spec(CLAIM.format(value=0.98))
    assert project.run().ret == 0
    words = ["accept", "--reports-dir", str(project.path / "reports")]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    folder = project.path / "reports" / "baselines"
    return lambda: {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("value", "plain", "gated"), [(0.98, 0, 0), (0.75, 0, 10), (0.25, 1, 1)], ids=str
)
def test_the_baselines_are_the_same_to_the_byte_after_any_run(
    project, accepted, value, plain, gated
):
    before = accepted()
    assert len(before) == 1
    project.spec(CLAIM.format(value=value))
    assert (project.run().ret, project.run("--gate").ret) == (plain, gated)
    assert accepted() == before


def test_a_baseline_that_is_corrupt_is_named_and_left_as_it_is(project, accepted):
    (path,) = accepted()
    path.write_bytes(path.read_bytes() + b"<<<<<<< HEAD\n")
    before = accepted()
    result = project.run("--gate")
    assert result.ret != 0
    told = result.stdout.str() + result.stderr.str()
    assert "a line of this baseline is not what it must be" in told
    assert accepted() == before
