"""The GitHub Action and the workflows: well formed, and their scripts do what they should."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FOLDER = ".github/actions/interp"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
MODELS = Path(__file__).parent / "plugin" / "light_models.py"
SPEC = """
import pytest

@pytest.mark.finding("area.claim")
def test_claim(model, measured):
    assert measured("x", 1) == {wanted}
"""


@pytest.fixture(scope="module")
def root(request):
    return request.config.rootpath


@pytest.fixture(scope="module")
def action(root):
    return yaml.safe_load((root / FOLDER / "action.yml").read_text())


def workflows(root):
    return sorted((root / ".github" / "workflows").glob("*.yml"))


def scripts(tree):
    """Every script of a workflow or action."""
    if isinstance(tree, dict):
        yield from [tree["run"]] if isinstance(tree.get("run"), str) else []
        for part in tree.values():
            yield from scripts(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from scripts(part)


def test_the_action_is_what_github_wants(action):
    assert {"name", "description", "inputs", "outputs", "runs"} == action.keys()
    assert action["runs"]["using"] == "composite"
    assert all(part["description"] for part in action["inputs"].values())
    assert all(isinstance(part["default"], str) for part in action["inputs"].values())
    for step in action["runs"]["steps"]:
        assert ("run" in step) != ("uses" in step)
        assert ("run" in step) == ("shell" in step)
        assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


def test_every_input_is_used_and_every_one_used_is_declared(action):
    used = set(re.findall(r"inputs\.([\w-]+)", str(action["runs"])))
    assert used == action["inputs"].keys()
    steps = {step.get("id") for step in action["runs"]["steps"]}
    for part in action["outputs"].values():
        (step,) = re.findall(r"steps\.([\w-]+)\.outputs", part["value"])
        assert step in steps


def test_the_run_is_kept_whatever_comes_out(action):
    last = action["runs"]["steps"][-1]
    assert last["uses"].startswith("actions/upload-artifact@")
    assert last["if"].startswith("always()")


def test_no_script_has_words_from_outside_in_it(root, action):
    """A branch or an input that is pasted into a script is run by it."""
    trees = [action, *(yaml.safe_load(path.read_text()) for path in workflows(root))]
    found = [
        one for tree in trees for script in scripts(tree) for one in EXPRESSION.findall(script)
    ]
    assert [one for one in found if re.match(r"(inputs|github\.event|github\.head)", one)] == []


def test_every_workflow_is_well_formed_and_may_do_little(root):
    assert {path.stem for path in workflows(root)} >= {"ci", "specs", "accept"}
    for path in workflows(root):
        workflow = yaml.safe_load(path.read_text())
        assert workflow["jobs"]
        assert "permissions" in workflow
        writes = [name for name, may in workflow["permissions"].items() if may == "write"]
        assert not writes or path.stem == "accept"


def test_the_workflow_gives_the_action_only_what_it_takes(root, action):
    workflow = yaml.safe_load((root / ".github" / "workflows" / "specs.yml").read_text())
    (step,) = [s for s in workflow["jobs"]["gate"]["steps"] if s["uses"] == f"./{FOLDER}"]
    assert step["with"].keys() <= action["inputs"].keys()
    assert "tag:shipped" in step["with"]["models"]


@pytest.fixture
def project(tmp_path):
    """A project with one light model."""
    weights = tmp_path / "fixtures" / "weights" / "llama-a"
    weights.mkdir(parents=True)
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (weights / file).write_text("{}")
    (tmp_path / "fixtures" / "models.toml").write_text('["llama-a"]\npath = "weights/llama-a"\n')
    (tmp_path / "conftest.py").write_text(MODELS.read_text())
    (tmp_path / "specs").mkdir()
    return tmp_path


class Runner:
    """Runs the scripts of an action in order, as GitHub does, without what it would fetch."""

    def __init__(self, action, project, **inputs):
        given = {name: part["default"] for name, part in action["inputs"].items()}
        self.known = {f"inputs.{name}": text for name, text in given.items()}
        self.known |= {f"inputs.{name.replace('_', '-')}": text for name, text in inputs.items()}
        self.action, self.project, self.output, self.failed = action, project, "", False
        self.reached = []

    def run(self):
        for step in self.action["runs"]["steps"]:
            if self.failed and "always()" not in step.get("if", ""):
                continue
            self.reached.append(step.get("name", step.get("uses")))
            if "run" in step:
                self.script(step)
        return self

    def script(self, step):
        told = self.project / "output.txt"
        told.write_text("")
        env = {name: self.filled(text) for name, text in step.get("env", {}).items()}
        bin_folder = Path(sys.executable).parent
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
        done = subprocess.run(
            [
                "/usr/bin/env",
                "bash",
                "--noprofile",
                "--norc",
                "-e",
                "-o",
                "pipefail",
                "-c",
                step["run"],
            ],
            cwd=self.project,
            env={
                **clean,
                "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
                "GITHUB_OUTPUT": str(told),
                "RUNNER_TEMP": str(self.project),
                "PYTEST_ADDOPTS": "-p no:cacheprovider",
                **env,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        self.output += done.stdout + done.stderr
        self.failed |= done.returncode != 0
        for line in told.read_text().splitlines():
            name, _, text = line.partition("=")
            self.known[f"steps.{step['id']}.outputs.{name}"] = text

    def filled(self, text):
        return EXPRESSION.sub(lambda found: self.known.get(found[1], ""), text)

    def told(self, name):
        return self.filled(self.action["outputs"][name]["value"])


def test_a_green_gate_leaves_its_report_and_its_exit_code(action, project):
    (project / "specs" / "test_a.py").write_text(SPEC.format(wanted=1))
    done = Runner(action, project, install="", models="llama-a, llama-a", args='-k "claim"').run()
    assert not done.failed, done.output
    assert done.told("exit-code") == "0"
    kept = Path(done.told("report")).parent
    assert (kept / "manifest.json").is_file()
    assert (kept.parent / "junit.xml").is_file()
    assert "llama-a: here already" in done.output
    assert "--gate" in (kept / "manifest.json").read_text()
    assert re.fullmatch(r"interp-models-\w{16}", done.known["steps.cache.outputs.key"])


def test_a_red_gate_fails_after_it_has_kept_the_run(action, project):
    (project / "specs" / "test_a.py").write_text(SPEC.format(wanted=2))
    done = Runner(action, project, install="", models="llama-a").run()
    assert done.failed
    assert done.told("exit-code") == "1"
    assert done.reached[-1] == "keep the run"
    assert (Path(done.told("report")).parent / "parts").is_dir()
    assert "exit 1: 1 claim does not hold" in done.output


def test_a_model_that_is_unknown_stops_it_before_the_run(action, project):
    done = Runner(action, project, install="", models="lama-a").run()
    assert done.failed
    assert "run" not in done.reached
    assert "llama-a" in done.output


def test_quotes_that_do_not_close_are_an_error_and_no_other_command(action, project):
    (project / "specs" / "test_a.py").write_text(SPEC.format(wanted=1))
    assert Runner(action, project, install="", args='-k "claim').run().failed
    named = project / "made"
    done = Runner(
        action, project, install="", args=f"-k claim; touch {named} $(touch {named})"
    ).run()
    assert done.failed
    assert not named.exists()
