"""A model with its own weights in random order holds no finding.

The twin has the same tokenizer, shapes and distribution of weights as the shipped model and knows
nothing. A finding that holds on it would be one about arithmetic, not about what a model learned.
Only the findings that validate an instrument are about that, and may hold on any model.
"""

import subprocess
import sys
from shutil import copytree

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from interp.reports.record import read_run

SHIPPED = "fixtures/checkpoints/llama-world"
LEFT_OUT = (
    "specs/findings/test_validation_",  # of instruments
    "specs/findings/test_tuned_lens",  # nobody has trained a lens for the twin
)


@pytest.fixture(scope="module")
def twin(pytestconfig, tmp_path_factory):
    """The shipped model with the entries of each matrix shuffled."""
    folder = tmp_path_factory.mktemp("twin") / "llama-twin"
    copytree(pytestconfig.rootpath / SHIPPED, folder)
    weights, rng = load_file(folder / "model.safetensors"), np.random.default_rng(0)
    shuffled = {name: rng.permuted(weights[name].ravel()) for name in sorted(weights)}
    kept = {name: part.reshape(weights[name].shape) for name, part in shuffled.items()}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def verdicts(pytestconfig, twin):
    """What the contracts and findings say of the twin."""
    run = twin.parent / "run"
    command = ["-m", "pytest", "specs/contracts", "specs/findings", "-q", "-p", "no:cacheprovider"]
    command += ["--no-report", "--vary", "eager"]  # where every site can be read
    subprocess.run(
        [sys.executable, *command, "--model", str(twin), "--run-dir", str(run)],
        cwd=pytestconfig.rootpath,
        check=False,
        capture_output=True,
    )
    return {(end.case.role, end.case.nodeid): end.verdict for end in read_run(run).ends}


@pytest.mark.slow
def test_no_finding_holds_on_the_twin(verdicts):
    findings = {case: said for (role, case), said in verdicts.items() if role == "finding"}
    of_models = {c: said for c, said in findings.items() if not c.startswith(LEFT_OUT)}
    assert len(of_models) >= 6
    held = {case for case, said in of_models.items() if said not in {"fails", "inconclusive"}}
    assert held == set()


@pytest.mark.slow
def test_the_instruments_work_on_the_twin_all_the_same(verdicts):
    contracts = {case: said for (role, case), said in verdicts.items() if role == "contract"}
    assert {case for case, said in contracts.items() if said != "holds"} == set()
