"""Packed weights: every site is verified, contracts hold, and directions know their packing."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from transformers import AutoTokenizer

from interp import contrast, load, relative_error, resid_post, run, steer
from interp.backends.torch_twins import write_twin
from interp.errors import DataError, RequestError
from interp.prompts import as_prompt_set
from interp.reports.record import read_run

WITHOUT = "the mlx backend is not installed; pip install 'interp-specs[mlx]'"
mx = pytest.importorskip("mlx.core", reason=WITHOUT)
convert = pytest.importorskip("mlx_lm", reason=WITHOUT).convert

SHIPPED = "fixtures/checkpoints/llama-world"
TEXTS = ["The capital of France is", "hot -> cold , big"]
WIDE = {
    "num_hidden_layers": 3,
    "hidden_size": 128,
    "intermediate_size": 128,
    "head_dim": 32,
    "rope_parameters": {"rope_theta": 5e5},
}
PACKED = [(bits, group) for bits in (4, 8) for group in (32, 64, 128)]
packings = pytest.mark.parametrize(("bits", "group"), PACKED)
GRIDS = "specs/contracts/test_sharing.py"  # half the time of all contracts: on one packing


@pytest.fixture(scope="module")
def whole(tmp_path_factory, pytestconfig):
    """A tiny Llama, wide enough for groups of 128, with words that the prompt sets are made of."""
    words = AutoTokenizer.from_pretrained(pytestconfig.rootpath / SHIPPED)
    return write_twin("llama", tmp_path_factory.mktemp("whole") / "llama", WIDE, words=words)


@pytest.fixture(scope="module")
def packed(whole, tmp_path_factory):
    """The same model as mlx-lm packs it."""
    made = tmp_path_factory.mktemp("packed")

    @cache
    def folder(bits, group):
        where = made / f"llama-{bits}bit-g{group}"
        convert(str(whole), str(where), quantize=True, q_bits=bits, q_group_size=group)
        return where

    return folder


@packings
def test_every_site_of_a_packed_model_is_verified(packed, on_mlx, bits, group):
    model = on_mlx(packed(bits, group))
    assert set(model.backend.info.refused) == {"pattern"}
    assert model.backend.info.quantization == f"{bits}bit-g{group}"
    assert model.fingerprint.endswith(f"+{bits}bit-g{group}")


@packings
def test_torch_says_the_same_of_the_weights_unpacked(packed, on_mlx, tmp_path, bits, group):
    folder = packed(bits, group)
    convert(str(folder), str(tmp_path / "unpacked"), dequantize=True)
    theirs = run(load(str(tmp_path / "unpacked"), backend="torch"), TEXTS).logits
    assert relative_error(run(on_mlx(folder), TEXTS).logits, theirs) < 2e-5


def test_fewer_bits_are_further_from_the_whole_model(whole, packed, on_mlx):
    there = run(on_mlx(whole), TEXTS).logits
    four, eight = (run(on_mlx(packed(bits, 64)), TEXTS).logits for bits in (4, 8))
    assert relative_error(four, there) > 4 * relative_error(eight, there) > 0


def test_a_packing_of_other_makers_is_in_the_fingerprint_too(twin, on_mlx, tmp_path):
    """mlx-lm reads the packing of such a folder from `quantization_config`, and names it itself."""
    folder = tmp_path / "packed"
    convert(str(twin("llama", **WIDE)), str(folder), quantize=True, q_group_size=32, q_mode="mxfp4")
    config = json.loads((folder / "config.json").read_text())
    assert config.pop("quantization")["mode"] == "mxfp4"
    config["quantization_config"] = {"quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config))
    assert on_mlx(folder).fingerprint.endswith("+4bit-g32-mxfp4")


def test_activations_have_the_dtype_that_is_asked_for(twin, on_mlx, tmp_path):
    """MLX's CPU kernel sums packed products in bfloat16, so that some sites may be refused."""
    folder = str(tmp_path / "packed")
    convert(str(twin("llama", **WIDE)), folder, quantize=True, q_bits=4, dtype="bfloat16")
    assert on_mlx(folder).backend.info.dtype == "float32"
    model = on_mlx(folder, dtype="checkpoint")
    assert model.backend.info.dtype == "bfloat16"
    assert set(model.backend.info.refused) <= {"pattern", "head_out", "resid_mid"}


@packings
def test_the_output_projection_is_read_unpacked(packed, on_mlx, bits, group):
    model = on_mlx(packed(bits, group))
    module = model.backend._hooked.blocks[1].out_proj
    given = np.random.default_rng(0).normal(size=(5, 4, 32)).astype(np.float32)
    theirs = np.array(module(mx.array(given.reshape(5, -1))))
    ours = np.einsum("bhe,hed->bd", given, model.backend.head_weights(1))
    assert relative_error(ours, theirs) < 1e-5


def test_a_direction_of_another_packing_is_refused(packed, on_mlx):
    four, eight = (on_mlx(packed(bits, 64)) for bits in (4, 8))
    kinds = [as_prompt_set([text]) for text in TEXTS]
    found = contrast(four, *kinds, site=resid_post(1)).direction
    assert run(four, TEXTS, steer(found.site, found)).ledger[0].fired
    with pytest.raises(RequestError, match="another model") as told:
        run(eight, TEXTS, steer(found.site, found))
    assert "+4bit-g64" in str(told.value)
    assert "+8bit-g64" in str(told.value)


def test_the_same_weights_packed_otherwise_are_another_model(packed, on_mlx):
    model = on_mlx(packed(4, 64))
    other = replace(model.backend.info, quantization="4bit-g128")
    mine = model.fingerprint
    model.backend.info = other
    assert model.fingerprint != mine


def test_torch_says_that_it_cannot_read_them(packed):
    with pytest.raises(DataError, match="failed"):
        load(str(packed(4, 64)), backend="torch")


@pytest.fixture(scope="module")
def said(packed, tmp_path_factory, pytestconfig):
    """Runs specs on packed models, all in one session: by model, their verdicts by node id."""
    root = pytestconfig.rootpath
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-report"]

    def verdicts(packings, *words):
        folders = [str(packed(*one)) for one in packings]
        record = tmp_path_factory.mktemp("session") / "run"
        command = [*asked, *words, "--backend", "mlx", "--model", ",".join(folders)]
        subprocess.run([*command, "--run-dir", str(record)], cwd=root, check=False)
        ends = [end for end in read_run(record).ends if end.case.model]
        ids = {end.case.model for end in ends}
        return {i: {e.case.nodeid: e.verdict for e in ends if e.case.model == i} for i in ids}

    return verdicts


@pytest.fixture(scope="module")
def contracts(said):
    """What the contracts say of every packing."""
    return said(PACKED, "specs/contracts", f"--ignore={GRIDS}")


@packings
def test_the_contracts_hold(contracts, bits, group):
    told = contracts[f"llama-{bits}bit-g{group}"]
    assert {name for name, verdict in told.items() if verdict not in {"holds", "skipped"}} == set()
    assert sum(verdict == "holds" for verdict in told.values()) > 50


def test_a_grid_on_packed_weights_is_its_runs(said):
    (told,) = said([(4, 64)], GRIDS).values()
    assert len(told) == 9
    assert set(told.values()) == {"holds"}
