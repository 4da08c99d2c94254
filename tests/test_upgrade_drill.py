"""The upgrade drill: one finding under two versions of transformers, and the cause of what moved.

As docs/upgrade-drill.md tells. The worked example is the attention default of Gemma 2: sdpa in
transformers 4.57, where it drops the softcap without a word, eager in 5. Loaded plainly, the same
weights give other logits; loaded by `interp`, which asks for eager where there is a softcap, they
give the same.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from interp.backends.torch_twins import write_twin

pytestmark = [pytest.mark.slow]
OLDEST = ".venv-oldest"
PLAINLY = """
import json, sys, torch
from transformers import AutoModelForCausalLM
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
logits = model(torch.arange(3, 40)[None]).logits[0, -1]
print(json.dumps([model.config._attn_implementation, logits.tolist()]))
"""
OURS = """
import json, sys
from interp import load
model = load(sys.argv[1])
logits = model.backend.forward([list(range(3, 40))]).logits[0]
print(json.dumps([model.backend.info.attn_implementation, logits.tolist()]))
"""


@pytest.fixture(scope="module")
def pythons(pytestconfig):
    """The Python of this environment and of the one with the oldest transformers we support."""
    oldest = pytestconfig.rootpath / OLDEST / "bin" / "python"
    if not oldest.exists():
        pytest.skip(f"there is no {OLDEST}: `make oldest` makes it")
    return {"oldest": str(oldest), "ours": sys.executable}


def said(python, *words, cwd):
    """What a Python prints, in an environment of its own."""
    done = subprocess.run(
        [python, *words], cwd=cwd, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return done.stdout


def test_a_finding_under_both_versions_is_compared_and_the_version_named(
    pythons, pytestconfig, tmp_path
):
    finding = ["specs/findings/test_logit_lens.py", "-q", "-p", "no:cacheprovider"]
    for name, python in pythons.items():
        options = ["--model", "llama-world", "--run-dir", str(tmp_path / name)]
        said(python, "-m", "pytest", *finding, *options, cwd=pytestconfig.rootpath)
    told = said(
        pythons["ours"], "-c", "from interp.cli import main; main()", "diff",
        str(tmp_path / "oldest"), str(tmp_path / "ours"), cwd=pytestconfig.rootpath,
    )  # fmt: skip
    assert "0 verdicts differ" in told
    assert "  transformers: 4.57" in told.split("different around them:")[1]


def readable_by_both(folder):
    """The folder, with the class of its tokenizer under the name that both versions know."""
    config = folder / "tokenizer_config.json"
    known = json.loads(config.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    config.write_text(json.dumps(known))
    return folder


@pytest.mark.parametrize(("how", "same"), [(PLAINLY, False), (OURS, True)], ids=["plain", "interp"])
def test_the_attention_default_of_gemma_2_moves_plain_logits_and_not_ours(
    pythons, tmp_path, how, same
):
    softcapped = {"attn_logit_softcapping": 2.0}
    folder = readable_by_both(write_twin("gemma2", tmp_path / "gemma2", softcapped))
    runs = {
        name: json.loads(said(python, "-c", how, str(folder), cwd=tmp_path).splitlines()[-1])
        for name, python in pythons.items()
    }
    (old_kind, old), (new_kind, new) = runs["oldest"], runs["ours"]
    assert (old_kind, new_kind) == (("eager", "eager") if same else ("sdpa", "eager"))
    moved = float(np.abs(np.array(new) - np.array(old)).max())
    assert (moved < 1e-4) is same
