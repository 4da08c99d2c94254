"""The recipe of the tuned lenses: what is held out, the format, and the shipped ones."""

import hashlib
import importlib
import json
from pathlib import Path

import pytest

from interp.tuned_lens import read_lens

ROOT = Path(__file__).parents[1]
LENSES = sorted(path.parent for path in (ROOT / "fixtures" / "lenses").glob("*/config.json"))
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def recipe():
    """The modules of the recipe by name, imported as a run from the root would."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT))
        names = ("texts", "maps", "naming")
        yield {one: importlib.import_module(f"fixtures.training.lens.{one}") for one in names}


def digest(path):
    """sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_test_row_is_in_what_a_lens_is_tuned_on(recipe):
    tuned, held_out = recipe["texts"].texts(2)
    rows = recipe["texts"].test_rows()
    assert not set(tuned) & set(held_out)
    assert "The capital of France is" in rows
    everything = "\n".join(tuned)
    assert [row for row in rows if f"\n{row} " in everything or f"|> {row}<|" in everything] == []
    assert any(recipe["texts"].holds(text, rows) for text in held_out)


def test_a_text_that_holds_a_row_is_seen(recipe):
    holds, rows = recipe["texts"].holds, frozenset({"The capital of France is", "How ?"})
    assert holds("The capital of France is Paris .", rows)
    assert holds("<|user|> How ?<|end|><|assistant|> So .<|end|>", rows)
    assert not holds("The capital of Spain is Madrid .", rows)


def test_maps_begin_as_the_identity_and_are_named_by_depth(recipe):
    import torch

    maps, stream = recipe["maps"].Maps(3, 4), torch.randn(3, 5, 4)
    assert torch.equal(maps(stream), stream)
    maps.weight.data[1] = torch.eye(4)
    assert torch.equal(maps(stream)[1], 2 * stream[1])
    assert set(maps.table()) == {f"{d}.{part}" for d in range(3) for part in ("weight", "bias")}
    assert {one.dtype for one in maps.table().values()} == {torch.float16}


@pytest.mark.parametrize("folder", LENSES, ids=lambda folder: folder.name)
def test_a_shipped_lens_is_whole_small_and_of_its_checkpoint(folder):
    lens = read_lens(folder)
    weights = ROOT / "fixtures" / "checkpoints" / folder.name / "model.safetensors"
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert lens.config.base_model_sha256 == digest(weights)
    assert digest(folder / "params.pt") in card
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))["held out"]
    assert len(record["tuned lens"]) == len(lens.weights)
