"""Checkpoints in the published layout of continuous thoughts load whole, or are refused and why.

They are built here at a small size, key by key as the published ones are.
"""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from interp.backends import published
from interp.backends.torch_codi import load_student
from interp.backends.torch_thinker_twins import RANK, published_state, write_thinker_twin
from interp.backends.torch_twins import write_twin
from interp.errors import DataError, NonFiniteError
from interp.models import load
from interp.registry import ModelSpec, load_registry
from interp.sources import availability
from interp.thoughts import think

ROW = (5, 17, 9, 250, 31)
FAMILIES = ("gpt2", "llama")
REGISTRY = Path(__file__).parents[2] / "fixtures" / "models.toml"
# The bases' configurations, with three rows more; then adapters of rank 128, and the projection.
LLAMA_1B = {
    "vocab_size": 128_259,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "tie_word_embeddings": True,
}
PUBLISHED = {
    "codi-gpt2-published": ("gpt2", {"vocab_size": 50_260}, 18_874_368, 1_182_720),
    "codi-llama-3.2-1b-published": ("llama", LLAMA_1B, 90_177_536, 8_396_800),
}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where a base and a checkpoint stand, the base found as one on the hub would be."""
    monkeypatch.setattr("interp.models._folder", lambda spec: tmp_path / spec.source)
    return tmp_path


@pytest.fixture
def checkpoint(place, family):
    """A checkpoint on its base, as the registry would name it."""
    write_thinker_twin(family, place / "base", place / "twin")
    return ModelSpec("twin", "twin", is_local=True, base="base")


def rewritten(place, change):
    """The checkpoint's table with something changed."""
    file = place / "twin" / "pytorch_model.bin"
    state = torch.load(file, weights_only=True)
    change(state)
    torch.save(state, file)


def beside(base, state):
    """The logits of a row with every adapter computed beside its matrix, nothing merged."""
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(model.config.vocab_size + 3, mean_resizing=False)
    wrapped = {key.removeprefix("codi.base_model.model."): one for key, one in state.items()}
    plain = {key.replace(".base_layer", ""): one for key, one in wrapped.items()}
    model.load_state_dict({key: plain[key] for key in model.state_dict()})
    for name, module in model.named_modules():
        if f"{name}.lora_A.default.weight" in plain:
            a, b = (plain[f"{name}.lora_{half}.default.weight"] for half in "AB")
            module.register_forward_hook(
                lambda _module, args, out, a=a, b=b: out + (args[0] @ a.T @ b.T) * (32 / RANK)
            )
    with torch.no_grad():
        return model(input_ids=torch.tensor([ROW])).logits[0].numpy()


def test_merged_adapters_do_what_they_do_beside_their_matrices(place, checkpoint):
    state = torch.load(place / "twin" / "pytorch_model.bin", weights_only=True)
    merged = load(checkpoint).backend.forward([ROW], logits="all").logits[0]
    without = {key: one * (".lora_B" not in key) for key, one in state.items()}
    assert np.abs(merged - beside(place / "base", state)).max() < 1e-4
    assert np.abs(merged - beside(place / "base", without)).max() > 0.1


@pytest.mark.usefixtures("checkpoint")
@pytest.mark.parametrize("kept_as", [torch.float16, torch.bfloat16])
def test_adapters_of_a_short_dtype_are_merged_in_float32(place, family, kept_as):
    rewritten(place, lambda state: state.update({k: one.to(kept_as) for k, one in state.items()}))
    student, _ = load_student(
        place / "twin", place / "base", dtype="bfloat16", attn_implementation=None
    )
    key = next(key for key in published_state_keys(place) if key.endswith("lora_A.default.weight"))
    stem = key.removesuffix("lora_A.default.weight")
    parts = ("base_layer.weight", "lora_A.default.weight", "lora_B.default.weight")
    state = published_state_keys(place)
    w, a, b = (state[stem + part].double() for part in parts)
    added = b @ a * 32 / RANK
    whole = w + (added.T if family == "gpt2" else added)
    weight = student.model.get_parameter(stem.removeprefix("codi.base_model.model.") + "weight")
    assert torch.equal(weight, whole.float().to(torch.bfloat16))
    w, a, b = (state[stem + part] for part in parts)
    added = b @ a * (32 / RANK)
    rounded = w + (added.T if family == "gpt2" else added)
    assert not torch.equal(weight, rounded.to(torch.bfloat16))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_shapes_come_to_the_registered_number_of_weights(name):
    family, sizes, in_adapters, in_projection = PUBLISHED[name]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes))
        state = published_state(model, rank=128)
    found = published.layout(state, Path(name))
    adapters = [key for pair in found.adapted.values() for key in pair]
    counted = [sum(state[key].numel() for key in keys) for keys in (adapters, found.projection)]
    assert counted == [in_adapters, in_projection]
    whole = sum(one.numel() for key, one in state.items() if not key.endswith("lm_head.weight"))
    assert whole == load_registry(REGISTRY).specs[name].parameters


def test_the_added_rows_come_from_the_file(place, checkpoint):
    about = load(checkpoint).backend.info
    base = AutoConfig.from_pretrained(place / "base")
    assert (about.d_vocab, about.thoughts.begin) == (base.vocab_size + 3, base.vocab_size + 1)
    assert (about.thoughts.begin, about.thoughts.end) == (about.d_vocab - 2, about.d_vocab - 1)
    before = think(load(checkpoint), ["hot -> cold"]).next_logits
    key = next(
        key for key in published_state_keys(place) if key.endswith(("wte.weight", "tokens.weight"))
    )
    rewritten(
        place, lambda state: [state[k][about.thoughts.begin].neg_() for k in (key, head(state))]
    )
    after = think(load(checkpoint), ["hot -> cold"]).next_logits
    assert np.abs(before - after).max() > 1e-3


def published_state_keys(place):
    return torch.load(place / "twin" / "pytorch_model.bin", weights_only=True)


def head(state):
    return next(key for key in state if key.endswith("lm_head.weight"))


def test_every_weight_is_counted(place, checkpoint):
    state = published_state_keys(place)
    weights = sum(one.numel() for key, one in state.items() if not key.endswith("lm_head.weight"))
    assert load(checkpoint).backend.info.thoughts.n_parameters == weights
    assert load(replace(checkpoint, parameters=weights)).backend.info.thoughts.projects
    with pytest.raises(DataError, match="another number of weights"):
        load(replace(checkpoint, parameters=weights + 1))


def test_safetensors_without_the_tied_head_are_the_same_model(place, family):
    write_thinker_twin(family, place / "base", place / "twin")
    write_thinker_twin(family, place / "base", place / "safe", safe=True)
    models = [load(ModelSpec(name, name, is_local=True, base="base")) for name in ("twin", "safe")]
    first, second = (think(one, ["hot -> cold"]) for one in models)
    assert np.array_equal(first.next_logits, second.next_logits)
    assert first.new_ids == second.new_ids


def test_a_folder_with_everything_needs_no_base(place, family):
    write_thinker_twin(family, place / "all", place / "all", safe=True)
    assert load(ModelSpec("all", "all", is_local=True)).backend.info.thoughts.projects


def test_the_training_decoder_of_sim_cot_is_known_and_left_out(place, checkpoint):
    before = load(checkpoint).backend.info.thoughts
    rewritten(place, lambda state: state.update({"decoder.h.0.weight": torch.ones(3)}))
    assert load(checkpoint).backend.info.thoughts == before


REFUSED = {
    "unused": (lambda state: state.update({"other.weight": torch.ones(2)}), "nothing uses"),
    "half a projection": (lambda state: state.pop("prj.3.bias"), "projection .* not whole"),
    "no projection": (
        lambda state: [state.pop(key) for key in list(state) if key.startswith("prj.")],
        "projection .* not whole",
    ),
    "half an adapter": (
        lambda state: state.pop(next(key for key in state if "lora_B" in key)),
        "two halves",
    ),
    "no norm": (
        lambda state: state.pop(
            next(key for key in state if key.endswith(("ln_f.bias", "model.norm.weight")))
        ),
        "not made on this base",
    ),
    "another head": (lambda state: state[head(state)].mul_(2), "tied"),
    "more than tensors": (lambda state: state.update({"epoch": 3}), "one table of tensors"),
    "a narrow adapter": (lambda state: narrowed(state, "lora_A.default.weight"), "does not fit"),
    "a narrow projection": (lambda state: narrowed(state, "prj.1.weight"), "does not fit"),
    "an uneven projection": (lambda state: narrowed(state, "prj.3.weight"), "does not fit"),
}


def narrowed(state, ending):
    key = next(key for key in state if key.endswith(ending))
    state[key] = state[key][:, 1:]


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_is_not_right_is_refused(place, checkpoint, wrong):
    change, message = REFUSED[wrong]
    rewritten(place, change)
    with pytest.raises(DataError, match=message):
        load(checkpoint)


def test_another_base_is_refused(place, checkpoint, family):
    wider = {"n_embd" if family == "gpt2" else "hidden_size": 64, "tie_word_embeddings": True}
    write_twin(family, place / "wider", wider)
    write_twin({"gpt2": "llama", "llama": "gpt2"}[family], place / "other")
    for base in ("wider", "other"):
        with pytest.raises(DataError, match="not made on this base"):
            load(replace(checkpoint, base=base))


def test_a_torn_file_is_refused(place, checkpoint):
    file = place / "twin" / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="torn"):
        load(checkpoint)


def test_a_torn_safetensors_file_is_refused(place, family):
    write_thinker_twin(family, place / "base", place / "safe", safe=True)
    file = place / "safe" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match="torn"):
        load(ModelSpec("safe", "safe", is_local=True, base="base"))


@pytest.mark.parametrize("as_torch_does", [True, False])
def test_a_pickle_that_would_run_code_is_never_run(place, checkpoint, tmp_path, as_torch_does):
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    table, file = {"codi.x": Hostile()}, place / "twin" / "pytorch_model.bin"
    if as_torch_does:
        torch.save(table, file)
    else:
        file.write_bytes(pickle.dumps(table, protocol=2))
    with pytest.raises(DataError, match="more than weights"):
        load(checkpoint)
    assert not (tmp_path / "ran").exists()


def test_a_weight_that_is_no_number_is_refused(place, checkpoint):
    rewritten(place, lambda state: state["prj.ln.bias"].fill_(float("nan")))
    with pytest.raises(NonFiniteError, match="weight is NaN"):
        load(checkpoint)


def test_another_hash_is_refused(checkpoint):
    with pytest.raises(DataError, match="registry pins"):
        load(replace(checkpoint, sha256="0" * 64))


def test_what_is_missing_is_named_with_its_base(place, checkpoint):
    told = availability(replace(checkpoint, source=str(place / "twin"), base="nobody/nothing"))
    assert "config.json of the base" in told.reason
    assert not told.present
