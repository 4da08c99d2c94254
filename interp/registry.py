"""The registry: which models there are, and where the files of each of them are.

A model is one entry of `fixtures/models.toml`. Nothing here loads a weight, imports torch or
reaches the network; `interp.sources` says which of them are whole on this machine.
"""

import re
import tomllib
from collections.abc import Container, Iterable, Mapping, Sequence
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


@dataclass(frozen=True)
class Chat:
    """What a model's chat template takes, and what its refusals begin with, one token each."""

    system: bool
    refusals: tuple[str, ...] = ()


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
    mlx: str = ""  # org/name[@revision] of the same model's files for MLX, where it has others
    mlx_path: str = ""  # or their folder
    base: str = ""  # on the hub: a checkpoint of weights alone is loaded on its configuration
    parameters: int | None = None
    mlx_bits: int | None = None  # of a weight in the files that `mlx` names
    chat: Chat | None = None  # a base model has none; nothing is said of a model without an entry
    lens: str = ""  # the name of a published tuned lens
    lens_path: str = ""  # or the folder of one's own
    sets: tuple[tuple[str, str], ...] = ()  # prompt sets, and those its specs read in their place
    listed: bool = True  # in a registry, so that its id is known to every command

    @property
    def refusals(self) -> tuple[str, ...]:
        """What refusals begin with, as the registry says; empty where it says nothing."""
        return self.chat.refusals if self.chat else ()

    def on(self, backend: BackendName | None) -> "ModelSpec":
        """This model on a backend (its own, if None), with the files it has for that backend.

        Files that MLX has of its own are computed in float32, which rounds no packed weight.
        """
        chosen = replace(self, backend=backend or self.backend)
        if chosen.backend != "mlx" or not (self.mlx or self.mlx_path):
            return chosen
        name, _, revision = self.mlx.partition("@")
        source, local = self.mlx_path or name, bool(self.mlx_path)
        return replace(
            chosen,
            source=source,
            is_local=local,
            revision=revision or None,
            dtype="float32",
            sha256=None,
        )


# The keys of an entry; `id` is its name, and `listed` says that there is one.
FOLDERS: Final = ("path", "mlx_path", "lens_path")
NUMBERS: Final = {"parameters", "mlx_bits"}
KEYS: Final = ("path", "hub", *(field.name for field in fields(ModelSpec)[3:-1]))


@dataclass(frozen=True)
class Registry:
    """The models of one `models.toml`, by id and in its order."""

    path: Path | None
    specs: Mapping[str, ModelSpec]


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


def at(spec: ModelSpec) -> str:
    """Where a model's files are, as a user names it: a folder, or org/name[@revision]."""
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
    about: dict[str, Any] = {
        key: str((folder / value).resolve()) if key in FOLDERS else value
        for key, value in table.items()
    }
    local = "path" in about
    source = str(about.pop("path") if local else about.pop("hub"))
    tags, sets = tuple(about.pop("tags", ())), tuple(about.pop("sets", {}).items())
    said = about.pop("chat", None)
    chat = Chat(said["system"], tuple(said.get("refusals", ()))) if said is not None else None
    return ModelSpec(name, source, local, tags=tags, sets=sets, chat=chat, **about)


def _refuse_values(table: Mapping[str, Any]) -> None:
    for key in NUMBERS & set(table):
        if type(table[key]) is not int or table[key] < 1:
            raise DataError(f"`{key}` is a whole number", received=repr(table[key]))
    for key in set(table) - {"tags", "sets", "chat"} - NUMBERS:
        if not isinstance(table[key], str):
            raise DataError(f"`{key}` is a string", received=repr(table[key]))
    _refuse_sources(table)
    if not _all_strings(tags := table.get("tags", [])):
        raise DataError("`tags` is a list of strings", received=repr(tags))
    if "chat" in table:
        _refuse_chat(table["chat"])
    sets = table.get("sets", {})
    if not isinstance(sets, dict) or not all(isinstance(name, str) for name in sets.values()):
        raise DataError(
            "`sets` is a table of names of prompt sets",
            expected='sets = { word_problems = "gsm8k" }',
            received=repr(sets),
        )
    for key, choices in (("backend", get_args(BackendName)), ("dtype", get_args(DtypeName))):
        if table.get(key, choices[0]) not in choices:
            raise DataError(f"unknown {key}", expected=", ".join(choices), received=table[key])


def _refuse_chat(chat: object) -> None:
    said = chat if isinstance(chat, dict) else {}
    known = {"system"} <= set(said) <= {"system", "refusals"} and type(said["system"]) is bool
    if not (known and _all_strings(said.get("refusals", []))):
        raise DataError(
            "`chat` says whether its template takes a system line, and what refusals begin with",
            expected='chat = { system = false, refusals = ["I"] }',
            received=repr(chat),
            hint="leave it out where there is no chat template",
        )


def _all_strings(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) and value for value in values)


def _refuse_sources(table: Mapping[str, Any]) -> None:
    if ("path" in table) == ("hub" in table):
        raise DataError("an entry has either `path` or `hub`", received=", ".join(sorted(table)))
    for key in ("mlx", "lens"):
        if key in table and f"{key}_path" in table:
            raise DataError(f"an entry has either `{key}` or `{key}_path`", received="both")
    if "mlx_bits" in table and "mlx" not in table:
        raise DataError("`mlx_bits` says what `mlx` holds", received="no `mlx`")
    for key in ("hub", "mlx", "base"):
        if key in table and not HUB_NAME.fullmatch(table[key]):
            raise DataError(f"`{key}` is org/name", received=repr(table[key]))


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
