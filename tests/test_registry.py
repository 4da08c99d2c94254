"""The registry: entries that are refused, words that name models, files that are missing."""

import json
import subprocess
import sys

import pytest

from interp.errors import DataError, RequestError
from interp.project import find_registry
from interp.registry import Chat, Registry, load_registry, resolve
from interp.sources import availability, size_of

TWO = """
[llama-a]
path = "weights/llama-a"
tags = ["small", "shipped"]
family = "llama"

["llama-3.2-1b"]
hub = "meta-llama/Llama-3.2-1B"
revision = "main"
dtype = "bfloat16"
tags = ["hub"]
"""
WHOLE = ("config.json", "tokenizer.json", "model.safetensors")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fixtures" / "models.toml"
    path.parent.mkdir()
    path.write_text(TWO)
    return load_registry(path)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A cache of huggingface_hub with one model in it, whole."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "models--meta-llama--Llama-3.2-1B"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("a" * 40)
    snapshot = folder / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for name in WHOLE:
        (snapshot / name).write_text("{}")
    return snapshot


def ids(registry, *words):
    return [spec.id for spec in resolve(registry, words)]


def test_an_entry_is_read_with_its_folder_beside_the_file(registry, tmp_path):
    spec = registry.specs["llama-a"]
    assert spec.source == str(tmp_path / "fixtures" / "weights" / "llama-a")
    assert (spec.is_local, spec.family, spec.tags) == (True, "llama", ("small", "shipped"))
    assert (spec.backend, spec.dtype, spec.revision) == ("torch", "float32", None)
    assert registry.specs["llama-3.2-1b"].dtype == "bfloat16"


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("[a]\npath = 'x'\nhub = 'o/n'", "an entry has either `path` or `hub`"),
        ("[a]\nfamily = 'x'", "an entry has either `path` or `hub`"),
        ("[a]\npath = 'x'\nfamly = 'x'", "unknown key 'famly'"),
        ("[a]\npath = 3", "`path` is a string"),
        ("[a]\npath = 'x'\ntags = 'small'", "`tags` is a list of strings"),
        ("[a]\npath = 'x'\nbackend = 'jax'", "unknown backend"),
        ("[a]\npath = 'x'\ndtype = 'int4'", "unknown dtype"),
        ("[a]\npath = 'x'\nsets = 'near'", "`sets` is a table of names"),
        ("[a]\npath = 'x'\nsets = { capitals = 3 }", "`sets` is a table of names"),
        ("[a]\npath = 'x'\nparameters = 'many'", "`parameters` is a whole number"),
        ("[a]\npath = 'x'\nparameters = 0", "`parameters` is a whole number"),
        ("[a]\nhub = 'o/n'\nmlx = 'o/m'\nmlx_bits = 4.5", "`mlx_bits` is a whole number"),
        ("[a]\nhub = 'o/n'\nmlx_bits = 4", "`mlx_bits` says what `mlx` holds"),
        ("[a]\npath = 'x'\nchat = true", "`chat` says whether"),
        ("[a]\npath = 'x'\nchat = { system = 1 }", "`chat` says whether"),
        ("[a]\npath = 'x'\nchat = { refusals = ['I'] }", "`chat` says whether"),
        ("[a]\npath = 'x'\nchat = { system = true, refusals = 'I' }", "`chat` says whether"),
        ("[a]\npath = 'x'\nchat = { system = true, refusals = [''] }", "`chat` says whether"),
        ("[a]\npath = 'x'\nchat = { system = true, opens = ['I'] }", "`chat` says whether"),
        ("[a]\nhub = 'no-organisation'", "`hub` is org/name"),
        ("[a]\npath = 'x'\nmlx = 'no-organisation'", "`mlx` is org/name"),
        ("[a]\npath = 'x'\nmlx = 'o/n'\nmlx_path = 'y'", "an entry has either `mlx` or `mlx_path`"),
        ("['a b']\npath = 'x'", "an id is made of letters"),
        ("['../a']\npath = 'x'", "an id is made of letters"),
        ("[llama]\npath = 'x'\n[LLaMA]\npath = 'y'", "two ids differ in case only"),
        ("[a.b]\npath = 'x'", "unknown key 'b'"),
        ("a = 3", "an entry is a table"),
        ("[a]\npath = 'x'\n[a]\npath = 'y'", "this is not a readable TOML file"),
        ("[a", "this is not a readable TOML file"),
    ],
)
def test_an_entry_that_is_not_what_it_must_be_is_refused_by_name(tmp_path, entry, rule):
    path = tmp_path / "models.toml"
    path.write_text(entry)
    with pytest.raises(DataError) as refused:
        load_registry(path)
    assert rule in refused.value.complaint.rule
    assert refused.value.complaint.where == str(path)


def test_an_entry_knows_both_sources_of_one_model(registry):
    registry.path.write_text("[a]\nhub = 'o/a'\nsha256 = 'x'\nmlx = 'mlx-community/a@r1'\n")
    spec = load_registry(registry.path).specs["a"]
    assert spec.on("torch") == spec.on(None) == spec
    there = spec.on("mlx")
    assert (there.source, there.revision, there.is_local) == ("mlx-community/a", "r1", False)
    assert (there.backend, there.sha256) == ("mlx", None)  # other files have another hash
    assert there.on("mlx") == there
    assert availability(there).fetch == "interp fetch a --backend mlx"


def test_a_folder_for_mlx_lies_beside_the_file(registry, tmp_path):
    registry.path.write_text("[a]\npath = 'x'\nmlx_path = 'y'\n[b]\npath = 'x'\n")
    specs = load_registry(registry.path).specs
    assert specs["a"].on("mlx").source == str(tmp_path / "fixtures" / "y")
    assert specs["b"].on("mlx").source == specs["b"].source


def test_an_entry_says_what_its_chat_template_takes(registry):
    registry.path.write_text(
        "[a]\npath = 'x'\nchat = { system = false, refusals = ['I', 'As'] }\n[b]\npath = 'x'\n"
    )
    specs = load_registry(registry.path).specs
    assert specs["a"].chat == Chat(system=False, refusals=("I", "As"))
    assert specs["b"].chat is None


@pytest.mark.parametrize(
    ("dtype", "backend", "expected"),
    [
        ("bfloat16", "torch", 2000),
        ("float32", "torch", 4000),
        ("checkpoint", "torch", None),
        ("bfloat16", "mlx", 562),  # four bits a weight, a scale and a bias of 16 for each 64
    ],
)
@pytest.mark.usefixtures("hub")
def test_the_size_of_what_is_not_here_is_estimated(registry, dtype, backend, expected):
    registry.path.write_text(
        f"[a]\nhub = 'o/a'\nparameters = 1000\ndtype = '{dtype}'\nmlx = 'o/m'\nmlx_bits = 4\n"
        f"[b]\nhub = 'o/a'\ndtype = '{dtype}'\nmlx = 'o/m'\n"
    )
    known = {
        name: size_of(spec.on(backend)) for name, spec in load_registry(registry.path).specs.items()
    }
    assert known["b"] is None
    assert (known["a"] and (known["a"].bytes, known["a"].estimated)) == (
        expected and (expected, True)
    )


def test_the_size_of_what_is_here_is_counted(registry, hub):
    (hub / "model.safetensors").write_text("1234567")
    size = size_of(registry.specs["llama-3.2-1b"])
    assert (size.bytes, size.estimated) == (7, False)


def test_the_nearest_registry_above_is_found(registry, tmp_path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_registry(below) == registry.path
    registry.path.unlink()
    with pytest.raises(DataError, match="there is no registry"):
        find_registry(below)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["llama-a"], ["llama-a"]),
        (["llama-*"], ["llama-a", "llama-3.2-1b"]),
        (["tag:hub", "llama-a", "llama-a"], ["llama-3.2-1b", "llama-a"]),
        (["meta-llama/Llama-3.2-1B"], ["llama-3.2-1b"]),
        (["hf:meta-llama/Llama-3.2-1B"], ["llama-3.2-1b"]),
        (["meta-llama/Llama-3.2-1B@v2"], ["llama-3.2-1b.2"]),
        (["org/Other_Name", "else/other_name"], ["other_name", "other_name.2"]),
        (["hf:org/name@refs/pr/1"], ["name"]),
    ],
)
def test_words_name_models(registry, words, found):
    assert ids(registry, *words) == found


def test_a_folder_is_a_model_and_the_registry_s_own_where_it_is_the_same(registry, tmp_path):
    own = tmp_path / "fixtures" / "weights" / "llama-a"
    own.mkdir(parents=True)
    other = tmp_path / "My Checkpoint"
    other.mkdir()
    (other / "config.json").write_text("{}")
    assert ids(registry, str(own), "My Checkpoint", f"{other}/") == ["llama-a", "my-checkpoint"]
    (tmp_path / "plain").mkdir()
    with pytest.raises(RequestError):  # a folder beside us is no model for having a bare name
        resolve(registry, ["plain"])


@pytest.mark.parametrize(
    "word", ["lama-a", "tag:tny", "./nowhere", "../up/down", "llama-z*", "a/b/c"]
)
def test_a_word_that_names_nothing_is_refused(registry, word):
    with pytest.raises(RequestError, match="no model has this name") as refused:
        resolve(registry, [word])
    assert refused.value.complaint.received == repr(word)


def test_the_nearest_names_are_suggested(registry):
    with pytest.raises(RequestError, match=r"try: +llama-a"):
        resolve(registry, ["lama-a"])


@pytest.mark.parametrize("missing", [*WHOLE, None])
def test_a_folder_is_here_when_every_file_is(registry, missing):
    from pathlib import Path

    spec = registry.specs["llama-a"]
    folder = Path(spec.source)
    folder.mkdir(parents=True)
    for name in WHOLE:
        if name != missing:
            (folder / name).write_text("{}")
    here = availability(spec)
    assert here.present is (missing is None)
    assert missing is None or missing in here.reason


@pytest.mark.parametrize("lost", [False, True])
def test_a_model_in_the_cache_needs_every_shard(registry, hub, lost):
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    (hub / "model.safetensors").unlink()
    index = {"weight_map": {"a": shards[0], "b": shards[1], "c": shards[0]}}
    (hub / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in shards[: 1 if lost else 2]:
        (hub / name).write_text("")
    here = availability(registry.specs["llama-3.2-1b"])
    assert here.present is not lost
    assert not lost or (shards[1] in here.reason and shards[0] not in here.reason)
    assert here.fetch == ("interp fetch llama-3.2-1b" if lost else "")


def test_an_index_that_cannot_be_read_is_named(registry, hub):
    (hub / "model.safetensors").unlink()
    (hub / "model.safetensors.index.json").write_text("{")
    assert "model.safetensors.index.json" in availability(registry.specs["llama-3.2-1b"]).reason


@pytest.mark.usefixtures("hub")
def test_another_revision_is_another_model(registry):
    assert availability(registry.specs["llama-3.2-1b"]).present
    (asked,) = resolve(registry, ["meta-llama/Llama-3.2-1B@v2"])
    here = availability(asked)
    assert not here.present
    assert here.fetch == "interp fetch meta-llama/Llama-3.2-1B@v2"


def test_a_model_without_a_registry_is_still_a_model():
    (spec,) = resolve(Registry(None, {}), ["org/name"])
    assert (spec.id, spec.source, spec.listed) == ("name", "org/name", False)


def test_importing_the_registry_imports_only_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); import interp.registry\n"
        "names = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(names - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['interp']\n"


def test_the_shipped_registry_is_read_and_its_models_are_here(pytestconfig):
    registry = load_registry(pytestconfig.rootpath / "fixtures" / "models.toml")
    shipped = resolve(registry, ["tag:shipped"])
    assert shipped
    assert [availability(spec).reason for spec in shipped] == [""] * len(shipped)
