"""Planting bugs: they are in force everywhere, they are undone, and a survivor is red."""

import json
import os
import re
import subprocess
import sys
from shutil import copy

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from interp import lens, metrics, stats
from interp.backends.installed import to_install
from interp.directions import Contrast
from interp.errors import DataError, RequestError
from interp.mutants import command, running, scoring
from interp.mutants.catalogue import catalogue, chosen
from interp.mutants.planting import Mutant, both, replaced
from interp.mutants.project import Project
from interp.mutants.trial import Outcome, Usual
from interp.sites import resid_post

OWN = """
import time
from contextlib import contextmanager
from interp.mutants.planting import Mutant, replaced

@contextmanager
def asleep():
    time.sleep(60)
    yield

RANK = "interp.metrics:rank"
MUTANTS = (
    Mutant("extra-harmless", "this test", replaced(RANK, lambda right: right)),
    Mutant("extra-crash", "this test", replaced(RANK, lambda _: lambda: None)),
    Mutant("extra-asleep", "this test", asleep),
    Mutant("extra-gone", "this test", replaced("interp.metrics:no_such", lambda right: right)),
)
"""
ROWS = np.array([[1.0, 2.0]], np.float32)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module with mutants of a project's own."""
    (tmp_path / "own_bugs.py").write_text(OWN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_bugs"
    sys.modules.pop("own_bugs", None)


@pytest.fixture
def mutants(monkeypatch):
    """The command, with trials that end as they are told to."""

    def ask(*words, control="survived", outcomes=()):
        told = {"": Outcome(control, usual=Usual()), **dict(outcomes)}

        def end(name):
            return running.Trial(name, told[name], 1.0)

        monkeypatch.setattr(scoring, "prepare", lambda: None)
        monkeypatch.setattr(scoring, "write_project", faked_project)
        monkeypatch.setattr(scoring, "trials", lambda _, names, **__: map(end, names))
        app = typer.Typer()
        app.command()(command.mutants)
        return CliRunner().invoke(app, list(words))

    return ask


def faked_project(root, _families):
    (root / "logs").mkdir()
    (root / "logs" / "control.txt").write_text("what pytest said")
    return Project(root)


def plus_five(right):
    return lambda *given: right(*given) + 5


def test_a_function_is_replaced_wherever_it_is_bound_and_put_back():
    right = metrics.rank
    with replaced("interp.metrics:rank", plus_five)():
        assert metrics.rank is lens.rank is not right
        assert lens.rank(ROWS, [(0,)]).tolist() == [6]
    assert metrics.rank is lens.rank is right


def test_it_is_put_back_where_something_raises():
    with pytest.raises(KeyError), replaced("interp.metrics:rank", plus_five)():
        raise KeyError
    assert lens.rank(ROWS, [(0,)]).tolist() == [1]


def test_properties_and_methods_are_replaced():
    found = Contrast(np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32), resid_post(0), "")
    nothing = replaced("interp.directions:Contrast.direction", lambda _: lambda _self: None)
    needs = replaced("interp.stats:Estimate.needs", lambda _: lambda _self, at_least: at_least)
    with both(nothing, needs)():
        assert found.direction is None
        assert stats.proportion(np.ones(3, dtype=bool)).needs(50) == 50
    assert found.direction.norm == pytest.approx(3**0.5)


@pytest.mark.parametrize("target", ["interp.metrics:no_such", "interp.stats:NoSuch.needs"])
def test_a_bug_is_planted_only_in_code_that_exists(target):
    with pytest.raises(DataError, match="code that exists"), replaced(target, plus_five)():
        pass


def test_there_are_enough_each_with_an_origin():
    found = catalogue()
    assert len(found) >= 40
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in found)
    assert all(one.origin and "\n" not in one.origin for one in found.values())


@pytest.mark.parametrize("name", catalogue())
def test_every_bug_can_be_planted(name):
    if command := to_install(catalogue()[name].needs):
        pytest.skip(f"there is nothing to plant it in; {command}")
    with catalogue()[name].plant():
        pass


def test_two_mutants_of_one_name_are_refused(own):
    with pytest.raises(DataError, match="its own"):
        catalogue((own, own))


def test_an_expression_chooses_parts_of_names():
    known = dict.fromkeys(["row-0", "row-last", "final-norm"], Mutant("", "", lambda: None))
    assert chosen(known, "row and not last or norm") == ["row-0", "final-norm"]
    with pytest.raises(RequestError, match="no mutant"):
        chosen(known, "colour")


def test_a_list_runs_nothing(mutants):
    rows = json.loads(mutants("--list", "--json", "-k", "row-0").stdout)
    assert {row["name"] for row in rows} >= {"edits-only-row-0"}
    assert mutants("--list").stdout.count("\n") == len(catalogue())


def test_the_status_is_0_only_where_every_bug_is_caught(mutants):
    caught = Outcome("killed", "specs/contracts/test_x.py::test_y_z[llama]", "assert 1 == 2")
    all_of_it = mutants("-k", "edits-only-row-0", outcomes={"edits-only-row-0": caught})
    assert all_of_it.exit_code == 0
    assert "x: y_z[llama]" in all_of_it.stdout
    assert "kill score 1 of 1" in all_of_it.stdout


@pytest.mark.parametrize("kind", ["survived", "crashed"])
def test_a_survivor_comes_first_and_makes_the_status_1(mutants, kind):
    names = ["edits-only-row-0", "edits-only-the-last-row"]
    outcomes = dict(zip(names, [Outcome("killed", "x"), Outcome(kind, "", "why")], strict=True))
    result = mutants("-k", "edits-only and row", outcomes=outcomes)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith(names[1])
    assert kind in result.stdout
    assert "kill score 1 of 2" in result.stdout


def test_specs_that_fail_without_a_bug_stop_it(mutants):
    result = mutants(control="killed")
    assert result.exit_code == 12
    assert "what pytest said" in result.stderr
    assert "without any bug" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="a copy of this process is made on Linux only")
def test_a_trial_has_a_time_limit(tmp_path, own):
    (tmp_path / "logs").mkdir()
    bench = running.Bench(Project(tmp_path), (own,))
    (trial,) = running.trials(bench, ["extra-asleep"], jobs=1, limit=0.3)
    assert (trial.outcome.kind, trial.outcome.by) == ("timeout", "timeout")
    assert trial.seconds < 30


SPECS = (
    "contracts/test_delivery.py",
    "contracts/test_resolution.py",
    "calibration/conftest.py",
    "calibration/test_exact_values.py",
)
COMMAND = """
import sys
from pathlib import Path
import typer
from interp.mutants import project
from interp.mutants.command import mutants

shipped = Path("few").absolute(), Path(sys.argv.pop(1))
project._shipped = lambda: shipped
typer.run(mutants)
"""


def test_planted_bugs_end_to_end(own, tmp_path, pytestconfig):
    for name in SPECS:
        (tmp_path / "few" / name).parent.mkdir(parents=True, exist_ok=True)
        copy(pytestconfig.rootpath / "specs" / name, tmp_path / "few" / name)
    wanted = "hook-never-fires or p-value-can-be-0 or extra and not asleep"
    words = ["--json", "--family", "llama", "--also", own, "-k", wanted]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, pytestconfig.rootpath / "fixtures" / "prompts", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert list(rows)[:3] == ["extra-harmless", "extra-crash", "extra-gone"]
    assert [row["killed_by"] for row in rows.values()][:3] == ["", "", ""]
    assert rows["extra-harmless"]["reason"] == "survived"
    assert rows["extra-crash"]["reason"].startswith("crashed")
    assert "code that exists" in rows["extra-gone"]["reason"]
    assert rows["hook-never-fires"]["killed_by"].startswith("self-check: ")
    assert "/test_exact_values.py::" in rows["p-value-can-be-0"]["killed_by"]
    assert "kill score 2 of 5" in done.stderr
