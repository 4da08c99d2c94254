"""Whatever is wrong with the input is said in the house's form, and nothing is guessed."""

import json

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from safetensors.numpy import load_file, save_file

from interp import Direction, PromptSet, load, patch, project_out, resid_post, run, span, steer, z
from interp.errors import DataError, InconclusiveError, NonFiniteError, RequestError
from interp.prompts import Prompt
from interp.registry import ModelSpec
from interp.sites import Site

TEXTS = ["The capital of France is", "Paris"]


def spec_of(folder, **more):
    return ModelSpec("damaged", str(folder), is_local=True, **more)


def rewrite(folder, change):
    """Change a checkpoint's weights: a dict of arrays in, the same or another dict out."""
    file = folder / "model.safetensors"
    weights = {name: np.array(weight) for name, weight in load_file(file).items()}
    save_file(change(weights), file, metadata={"format": "pt"})


def refuses(folder, error, words):
    with pytest.raises(error, match=words) as caught:
        load(spec_of(folder))
    assert str(caught.value).startswith("load('damaged') failed: ")
    return str(caught.value)


def test_an_unknown_model_names_the_closest():
    with pytest.raises(RequestError, match=r"llama-world") as caught:
        load("lama-world")
    assert "lama-world" in str(caught.value)


def test_a_missing_weight_file(llama_copy):
    (llama_copy / "model.safetensors").unlink()
    assert "without model.safetensors" in refuses(llama_copy, DataError, "lacks weight files")


def test_a_missing_shard(llama_copy):
    weights = load_file(llama_copy / "model.safetensors")
    names = sorted(weights)
    files = {name: f"model-{1 + i % 2:05d}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(files.values()):
        part = {name: weights[name] for name in names if files[name] == file}
        save_file(part, llama_copy / file, metadata={"format": "pt"})
    (llama_copy / "model.safetensors").unlink()
    index = llama_copy / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": files}))
    assert load(spec_of(llama_copy)).n_layers == 4
    (llama_copy / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002" in refuses(llama_copy, DataError, "lacks weight files")


def test_a_truncated_weight_file(llama_copy):
    file = llama_copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    refuses(llama_copy, DataError, "torn")


def test_a_missing_key(llama_copy):
    name = "model.layers.1.mlp.up_proj.weight"
    rewrite(llama_copy, lambda weights: {k: w for k, w in weights.items() if k != name})
    assert name in refuses(llama_copy, DataError, "not those of this config")


def test_an_extra_key(llama_copy):
    rewrite(llama_copy, lambda weights: {**weights, "model.spare.weight": np.ones(3, np.float32)})
    assert "model.spare.weight" in refuses(llama_copy, DataError, "not those of this config")


def test_a_weight_of_another_shape(llama_copy):
    name = "model.layers.1.mlp.up_proj.weight"
    rewrite(llama_copy, lambda weights: {**weights, name: weights[name][:5]})
    assert name in refuses(llama_copy, DataError, "not those of this config")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_weight_that_is_no_number(llama_copy, bad):
    name = "model.layers.2.mlp.up_proj.weight"

    def spoil(weights):
        weights[name][3, 4] = bad
        return weights

    rewrite(llama_copy, spoil)
    assert name in refuses(llama_copy, NonFiniteError, "NaN or infinite")


def test_weights_other_than_the_registry_pins(llama_copy):
    with pytest.raises(DataError, match="not those that the registry pins"):
        load(spec_of(llama_copy, sha256="0" * 64))


def test_no_config_and_no_tokenizer(llama_copy):
    (llama_copy / "tokenizer.json").unlink()
    refuses(llama_copy, DataError, "tokenizer")
    (llama_copy / "config.json").write_text("{")
    refuses(llama_copy, DataError, r"config\.json")


def test_an_unknown_backend(folder_of):
    with pytest.raises(RequestError, match="no such backend"):
        load(spec_of(folder_of("llama")), backend="torhc")


def test_a_layer_out_of_range(llama):
    with pytest.raises(RequestError, match="no such layer") as caught:
        run(llama, TEXTS, steer(resid_post(31), np.ones(32, np.float32)))
    assert "layer in 0..3" in str(caught.value)
    assert "resid_post(3)" in str(caught.value)


@pytest.mark.parametrize("layer", [-1, None, "last"])
def test_a_layer_that_is_none(layer):
    with pytest.raises(RequestError, match="layer"):
        resid_post(layer)


def test_an_unknown_site_names_the_closest():
    with pytest.raises(RequestError, match="resid_post"):
        Site("resid_pots", 3)


@pytest.mark.parametrize("shape", [(1, 32), (3, 32), (31,), (2, 1, 32), (32, 2)])
def test_a_vector_that_would_have_to_be_broadcast(llama, shape):
    with pytest.raises(RequestError, match="nothing is broadcast"):
        run(llama, TEXTS, steer(resid_post(1), np.ones(shape, np.float32)))


def test_an_alpha_for_other_rows(llama):
    push = steer(resid_post(1), np.ones(32, np.float32), alpha=np.ones(3, np.float32))
    with pytest.raises(RequestError, match="one number, or one a row"):
        run(llama, TEXTS, push)


def test_a_row_or_head_that_is_not_there(llama):
    with pytest.raises(RequestError, match="rows of the batch"):
        run(llama, TEXTS, steer(resid_post(1), np.ones(32, np.float32)).on_rows(2))
    with pytest.raises(RequestError, match="no such head"):
        run(llama, TEXTS, steer(z(1), np.ones((1, 8), np.float32)).on_heads(4))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_that_is_no_number(bad):
    with pytest.raises(NonFiniteError):
        steer(resid_post(1), np.array([1.0, bad], np.float32))
    with pytest.raises(NonFiniteError):
        steer(resid_post(1), np.ones(2, np.float32), alpha=bad)


def test_a_patch_from_padding(llama):
    plain = run(llama, TEXTS, capture=[resid_post(1)])
    backwards = plain[resid_post(1)][::-1]
    with pytest.raises(NonFiniteError, match="padding"):
        run(llama, TEXTS, patch(resid_post(1), backwards, at="all"))


def test_an_activation_that_overflows_is_named(llama):
    huge = steer(resid_post(1), np.full(32, 3e38, np.float32), alpha=2.0, at="last")
    with pytest.raises(NonFiniteError, match=r"resid_post\(1\)"):
        run(llama, TEXTS, huge)


def test_a_direction_of_another_model(llama):
    foreign = Direction(np.ones(32, np.float32), resid_post(1), "0" * 64, "mean-difference")
    with pytest.raises(RequestError, match="another model"):
        run(llama, TEXTS, steer(resid_post(1), foreign))


def test_a_direction_that_points_nowhere():
    with pytest.raises(RequestError, match="points nowhere"):
        project_out(resid_post(1), np.zeros(4, np.float32))


def test_a_position_that_matches_nothing(llama):
    prompts = PromptSet(
        "two", (Prompt(text="Paris is big", spans={"e1": "Paris"}), Prompt(text="No"))
    )
    with pytest.raises(RequestError, match="matches nothing") as caught:
        run(llama, prompts, steer(resid_post(1), np.ones(32, np.float32), at="e1"))
    assert "prompt 2 of 2" in str(caught.value)


def test_positions_are_named_not_counted():
    with pytest.raises(RequestError, match="named, not counted"):
        steer(resid_post(1), np.ones(2, np.float32), at="")
    with pytest.raises((RequestError, TypeCheckError)):  # shapes and types are checked in tests
        steer(resid_post(1), np.ones(2, np.float32), at=-1)


def test_a_named_position_in_generated_tokens():
    with pytest.raises(RequestError, match="never in generated tokens"):
        steer(resid_post(1), np.ones(2, np.float32), at="last").during("generated")


@pytest.mark.parametrize("empty", [[], [""], ["a", ""], "a text"])
def test_no_prompts(llama, empty):
    with pytest.raises(RequestError, match="list of texts"):
        run(llama, empty)


def test_a_prompt_longer_than_the_model(llama):
    with pytest.raises(RequestError, match="fits the model"):
        run(llama, ["hot -> cold , " * 40])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "a header and at least one prompt"),
        (['{"set": "s", "version": 1, "source": "here"}'], "a header and at least one prompt"),
        (["{", "{}"], "not right"),
        (['{"set": "s", "source": "here"}', '{"text": "a"}'], "version"),
        (['{"set": "s", "version": 1, "source": "h"}', '{"txt": "a"}'], "txt"),
        (['{"set": "s", "version": 1, "source": "h"}', '{"text": "a", "user": "b"}'], "either"),
        (
            ['{"set": "s", "version": 1, "source": "h"}', '{"text": "a", "spans": {"e1": "b"}}'],
            "occurs 0 times",
        ),
        (
            ['{"set": "s", "version": 1, "source": "h"}', '{"text": "a a", "spans": {"e1": "a"}}'],
            "occurs 2 times",
        ),
        (['{"set": "s", "version": 1, "source": "h"}', '{"text": "a", "answers": [""]}'], "empty"),
    ],
)
def test_a_prompt_file_that_is_not_right(tmp_path, lines, words):
    file = tmp_path / "set.jsonl"
    file.write_text("\n".join(lines))
    with pytest.raises(DataError, match=words) as caught:
        PromptSet.from_file(file)
    assert "set.jsonl" in str(caught.value)


def test_a_prompt_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        PromptSet.from_file(tmp_path / "none.jsonl")


def test_a_span_that_no_tokens_spell(llama):
    prompts = PromptSet("cut", (Prompt(text="The capital of France is", spans={"e1": "apital"}),))
    with pytest.raises(DataError, match="no tokens spell"):
        run(llama, prompts, steer(resid_post(1), np.ones(32, np.float32), at=span("e1")))


def test_an_answer_that_changes_its_prompt_s_tokens(llama):
    apart = PromptSet("apart", (Prompt(text="The capital of France is", answers=("Paris",)),))
    assert run(llama, apart).correct.shape == (1,)
    glued = PromptSet("glued", (Prompt(text="The ", answers=("capital",)),))
    with pytest.raises(DataError, match="must not change the tokens"):
        run(llama, glued)


def test_too_few_prompts_is_inconclusive():
    prompts = PromptSet("two", (Prompt(text="Paris"), Prompt(text="The")))
    with pytest.raises(InconclusiveError, match="1 of 2"):
        prompts.where(np.array([True, False]), at_least=2)


def test_a_closed_model_says_so(folder_of):
    model = load(spec_of(folder_of("llama")))
    model.close()
    with pytest.raises(RequestError, match="was closed"):
        run(model, TEXTS)
