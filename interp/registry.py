"""The registry: which models there are, and which of them are whole on this machine.

A model is one entry of `fixtures/models.toml`. Nothing here loads a weight, imports torch or
reaches the network.
"""

import json
import re
import tomllib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from itertools import chain, count
from pathlib import Path
from typing import Any, Final, Literal, get_args

from interp.errors import DataError, RequestError, closest

BackendName = Literal["torch", "mlx"]
DtypeName = Literal["float32", "bfloat16", "float16", "checkpoint"]

SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
MOST_NAMED: Final = 3
WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
FETCHED: Final = ("*.safetensors", "*.json", "*.jinja", "tokenizer*", "vocab.txt", "merges.txt")


@dataclass(frozen=True)
class ModelSpec:
    """One model as it is asked for: where its files are and how it is to be computed."""

    id: str
    source: str
    is_local: bool
    revision: str | None = None
    backend: BackendName = "torch"
    dtype: DtypeName = "float32"
    attn_implementation: str | None = None
    tags: tuple[str, ...] = ()
    sha256: str | None = None
    family: str = ""
    licence: str = ""
    url: str = ""
    listed: bool = True  # in a registry, so that its id is known to every command


# The keys of an entry; `id` is its name, and `listed` says that there is one.
KEYS: Final = ("path", "hub", *(field.name for field in fields(ModelSpec)[3:-1]))


@dataclass(frozen=True)
class Registry:
    """The models of one `models.toml`, by id and in its order."""

    path: Path | None
    specs: Mapping[str, ModelSpec]


@dataclass(frozen=True)
class Availability:
    """Whether every file of a model is here; if not, what is missing and how to get it."""

    present: bool
    reason: str = ""
    fetch: str = ""


def load_registry(path: Path) -> Registry:
    """Read a `models.toml`; folders in it are relative to the file.

    Raises:
        DataError: the file cannot be read, or an entry is not what it must be.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(
            "this is not a readable TOML file", received=error, where=str(path)
        ) from None
    specs: dict[str, ModelSpec] = {}
    for name, table in tables.items():
        try:
            _refuse_id(name, specs)
            specs[name] = _spec_of(name, table, path.parent)
        except DataError as error:
            raise error.during(f"[{name}]", where=str(path)) from None
    return Registry(path, specs)


def resolve(registry: Registry, asked: Sequence[str]) -> list[ModelSpec]:
    """The models that these words name, each once, in the order they were named.

    A word is an id, a glob over ids, `tag:NAME`, a folder, `org/name[@revision]` or the same with
    `hf:` before it.

    Raises:
        RequestError: a word names nothing.
    """
    found: dict[str, ModelSpec] = {}
    for word in asked:
        for spec in named(registry, word) or [_unlisted(registry, word)]:
            known = found.get(spec.id)
            if known is not None and known != spec:
                spec = replace(spec, id=_free_id(spec.id, found))  # noqa: PLW2901
            found[spec.id] = spec
    return list(found.values())


def named(registry: Registry, word: str) -> list[ModelSpec]:
    """The entries of the registry that an id, a glob or `tag:NAME` stands for; maybe none."""
    return [spec for spec in registry.specs.values() if stands_for(word, spec)]


def stands_for(word: str, spec: ModelSpec) -> bool:
    """Whether an id, a glob over ids or `tag:NAME` names this model."""
    if word.startswith("tag:"):
        return word.removeprefix("tag:") in spec.tags
    return word == spec.id or fnmatchcase(spec.id, word)


def words(registry: Registry) -> list[str]:
    """Every bare word that names something: ids and tags, for the hint of an error."""
    tags = {f"tag:{tag}" for spec in registry.specs.values() for tag in spec.tags}
    return [*registry.specs, *sorted(tags)]


def availability(spec: ModelSpec) -> Availability:
    """Whether the configuration, a tokenizer and every weight file of a model are here."""
    missing = _missing(_in_folder(Path(spec.source)) if spec.is_local else _in_cache(spec))
    if not missing:
        return Availability(present=True)
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    reason = f"model {spec.id!r} ({_at(spec)}): not here: {', '.join(missing[:MOST_NAMED])}{more}"
    fetch = "" if spec.is_local else f"interp fetch {spec.id if spec.listed else _at(spec)}"
    return Availability(False, reason, fetch)


def download(spec: ModelSpec, *, look_only: bool = False) -> list[tuple[str, int]]:
    """Fetch a model's files from the hub into the local cache: their names and sizes in bytes.

    Args:
        spec: a model on the hub.
        look_only: ask which files it would be, and fetch none.

    Raises:
        DataError: the hub does not answer, or does not give them.
    """
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415  rarely needed

    try:
        info = HfApi().model_info(spec.source, revision=spec.revision, files_metadata=True)
        if not look_only:
            snapshot_download(spec.source, revision=spec.revision, allow_patterns=list(FETCHED))
    except Exception as error:  # noqa: BLE001  requests, httpx, hub and disk: each has its own
        raise DataError(
            "the files cannot be fetched",
            asked=f"fetch {_at(spec)}",
            received=f"{type(error).__name__}: {str(error).strip().splitlines()[0]}",
            hint="check the network; if a licence is asked for, accept it and run: hf auth login",
        ) from None
    files = ((file.rfilename, file.size or 0) for file in info.siblings or [])
    return [(name, size) for name, size in files if any(fnmatchcase(name, one) for one in FETCHED)]


def _missing(get: Callable[[str], Path | None]) -> list[str]:
    """Which parts of a model `get` does not find; a model split over shards needs each of them."""
    missing = [] if get("config.json") else ["config.json"]
    if not any(get(name) for name in TOKENIZERS):
        missing.append("a tokenizer (tokenizer.json)")
    if any(get(name) for name in WEIGHTS):
        return missing
    for name in WEIGHTS:
        if index := get(f"{name}.index.json"):
            return missing + [shard for shard in _shards(index) if not get(shard)]
    return [*missing, f"weights ({WEIGHTS[0]})"]


def _shards(index: Path) -> list[str]:
    try:
        table = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return sorted({str(name) for name in table.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [f"a readable {index.name}"]


def _in_folder(folder: Path) -> Callable[[str], Path | None]:
    return lambda name: folder / name if (folder / name).is_file() else None


def _in_cache(spec: ModelSpec) -> Callable[[str], Path | None]:
    """File by file, for the hub's library calls a snapshot whole that lacks a shard."""
    from huggingface_hub import constants  # noqa: PLC0415  not every session has hub models

    folder = f"models--{spec.source.replace('/', '--')}"
    if not (Path(constants.HF_HUB_CACHE) / folder).is_dir():
        return lambda _: None
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  200 ms, often for nothing

    def get(name: str) -> Path | None:
        found = try_to_load_from_cache(spec.source, name, revision=spec.revision)
        return Path(found) if isinstance(found, str) else None

    return get


def _at(spec: ModelSpec) -> str:
    pinned = spec.revision not in (None, "main")
    return f"{spec.source}@{spec.revision}" if pinned else spec.source


def _refuse_id(name: str, known: Iterable[str]) -> None:
    if not SLUG.fullmatch(name):
        raise DataError(
            "an id is made of letters, digits and . _ -",
            received=repr(name),
            hint='put an id with a dot in quotes: ["llama-3.2-1b"]',
        )
    if same := [other for other in known if other.lower() == name.lower()]:
        raise DataError("two ids differ in case only", received=f"{same[0]!r} and {name!r}")


def _spec_of(name: str, table: object, folder: Path) -> ModelSpec:
    if not isinstance(table, dict):
        raise DataError("an entry is a table", received=repr(table))
    for key in set(table) - set(KEYS):
        raise DataError(
            f"unknown key {key!r}", expected=", ".join(KEYS), hint=closest(key, KEYS, most=1)
        )
    _refuse_values(table)
    local = "path" in table
    source = str((folder / table["path"]).resolve()) if local else str(table["hub"])
    about: dict[str, Any] = {k: v for k, v in table.items() if k not in {"path", "hub", "tags"}}
    return ModelSpec(name, source, local, tags=tuple(table.get("tags", ())), **about)


def _refuse_values(table: Mapping[str, Any]) -> None:
    if ("path" in table) == ("hub" in table):
        raise DataError("an entry has either `path` or `hub`", received=", ".join(sorted(table)))
    for key in set(table) - {"tags"}:
        if not isinstance(table[key], str):
            raise DataError(f"`{key}` is a string", received=repr(table[key]))
    if "hub" in table and not HUB_NAME.fullmatch(table["hub"]):
        raise DataError("`hub` is org/name", received=repr(table["hub"]))
    tags = table.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DataError("`tags` is a list of strings", received=repr(tags))
    for key, choices in (("backend", get_args(BackendName)), ("dtype", get_args(DtypeName))):
        if table.get(key, choices[0]) not in choices:
            raise DataError(f"unknown {key}", expected=", ".join(choices), received=table[key])


def _unlisted(registry: Registry, word: str) -> ModelSpec:
    """A model that the registry does not list: a folder, or a name on the hub."""
    folder = Path(word).expanduser()
    if folder.is_dir() and ("/" in word or (folder / "config.json").is_file()):
        return _entry_or_new(registry, str(folder.resolve()), is_local=True, revision=None)
    name, _, revision = word.removeprefix("hf:").partition("@")
    if HUB_NAME.fullmatch(name) and not word.startswith(("./", "../", "~", "/")):
        return _entry_or_new(registry, name, is_local=False, revision=revision or None)
    raise RequestError(
        "no model has this name",
        expected="an id, a glob, tag:NAME, org/name[@revision] or a folder that exists",
        received=repr(word),
        where=str(registry.path or "no registry (fixtures/models.toml)"),
        hint=closest(word, words(registry)),
    )


def _entry_or_new(
    registry: Registry, source: str, *, is_local: bool, revision: str | None
) -> ModelSpec:
    for spec in registry.specs.values():
        if (spec.source, spec.is_local) == (source, is_local) and revision in {None, spec.revision}:
            return spec
    name = re.sub(r"[^a-z0-9._-]+", "-", Path(source).name.lower()).strip("-._") or "model"
    return ModelSpec(_free_id(name, registry.specs), source, is_local, revision, listed=False)


def _free_id(name: str, taken: Container[str]) -> str:
    numbered = chain([name], (f"{name}.{number}" for number in count(2)))
    return next(free for free in numbered if free not in taken)
