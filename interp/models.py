"""A loaded model: who it is, how deep it is, and the backend that runs it."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

from interp.backends.installed import INSTALL, THINKERS, to_install
from interp.backends.protocol import Backend
from interp.backends.published import holds_thoughts
from interp.backends.record import verified
from interp.backends.thinking import Thinks
from interp.encoded import Encoded
from interp.errors import DataError, InterpError, RequestError, closest
from interp.positions import Position
from interp.project import find_registry
from interp.prompts import PromptSet
from interp.registry import BackendName, ModelSpec, Registry, load_registry, resolve
from interp.sites import Site

Depth = Literal["first", "middle", "last"]
DEPTHS: tuple[Depth, ...] = ("first", "middle", "last")
BACKENDS = {
    "torch": ("interp.backends.torch", "TorchBackend"),
    "mlx": ("interp.backends.mlx", "MlxBackend"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """One model on one backend: what `run`, `generate` and the techniques are given."""

    spec: ModelSpec
    backend: Backend
    _encoded: dict[str, Encoded] = field(default_factory=dict)
    norms: dict[tuple[str, Site, Position], float] = field(default_factory=dict)  # once each

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        info = self.backend.info
        return f"<model {self.id}: {info.family}, {info.n_layers} layers, {info.dtype}>"

    @property
    def id(self) -> str:
        """The name in the registry, or the folder's."""
        return self.spec.id

    @property
    def n_layers(self) -> int:
        """How many decoder layers."""
        return self.backend.info.n_layers

    @property
    def layers(self) -> range:
        """The layers, from 0."""
        return range(self.n_layers)

    @property
    def d_model(self) -> int:
        """The width of the residual stream."""
        return self.backend.info.d_model

    @property
    def fingerprint(self) -> str:
        """sha256 of the weights, with the quantisation where there is one."""
        info = self.backend.info
        return f"{info.fingerprint}+{info.quantization}" if info.quantization else info.fingerprint

    def layer(self, depth: Depth | float) -> int:
        """The layer at a depth: "first", "middle", "last", or a share of the way from 0 to 1.

        Raises:
            RequestError: no such depth.
        """
        shares = {"first": 0.0, "middle": 0.5, "last": 1.0}
        share = shares.get(depth) if isinstance(depth, str) else depth
        if share is None or not 0 <= share <= 1:
            raise RequestError(
                "no such depth",
                asked=f"model.layer({depth!r})",
                expected='"first", "middle", "last" or a share from 0 to 1',
            )
        return round(share * (self.n_layers - 1))

    def encode(self, prompts: PromptSet) -> Encoded:
        """The prompts as this model's tokens, resolved once."""
        if prompts.digest not in self._encoded:
            self._encoded[prompts.digest] = self.backend.tokenizer.encode(prompts)
        return self._encoded[prompts.digest]

    def identity(self) -> dict[str, str | int | float | None]:
        """What a measured value must be recorded with to be compared with another one."""
        info = self.backend.info
        return {
            "id": self.id,
            "source": Path(self.spec.source).name if self.spec.is_local else self.spec.source,
            "revision": self.spec.revision,
            "weights_digest": info.fingerprint,
            "dtype": info.dtype,
            "quantization": info.quantization,
            "backend": self.spec.backend,
            "attn_implementation": info.attn_implementation,
            "device": info.device,
            "family": self.spec.family or info.family,
            "parameters": self.spec.parameters or info.n_parameters,
        }

    def close(self) -> None:
        """Drop the weights; a later run raises."""
        self._encoded.clear()
        self.norms.clear()
        self.backend.close()


def load(
    source: str | ModelSpec,
    *,
    backend: str | None = None,
    dtype: str | None = None,
    device: str | None = None,
) -> Model:
    """Load a model and verify it: files whole, keys exact, weights finite, every site checked.

    Args:
        source: a registry id, a hub name whose files are in the local cache, or a folder.
        backend: "torch" or "mlx"; by default what the registry says.
        dtype: "float32", "bfloat16", "float16" or "checkpoint"; by default what the registry says.
        device: "cpu", "cuda", "mps"; by default the first accelerator there is, else the CPU.

    Raises:
        RequestError: no such model or backend, or a backend that is not installed.
        DataError: the checkpoint is not whole, not what the registry pins, or fails the self-check.
        NonFiniteError: a weight is NaN or infinite.
    """
    try:
        asked = source if isinstance(source, ModelSpec) else _named(source)
        _refuse_backend(backend or asked.backend)
        spec = asked.on(cast("BackendName", backend or asked.backend))
        folder = _folder(spec)
        loaded = _loader(spec, folder)(
            dtype=dtype or spec.dtype,
            device=device,
            attn_implementation=spec.attn_implementation,
        )
        _refuse_other_weights(spec, loaded)
        _refuse_other_chat(spec, loaded)
        return Model(_as_found(spec, folder), verified(loaded))
    except InterpError as error:
        name = source if isinstance(source, str) else source.id
        raise error.during(f"load({name!r})") from None


def on_other_engine(model: Model) -> Model:
    """The very same files loaded by the other backend, to compare the two."""
    return load(replace(model.spec, backend=_other(model), mlx="", mlx_path=""))


def without_other_engine(model: Model) -> str:
    """Why the other backend cannot load this model's files; empty where it can."""
    if command := to_install(_other(model)):
        return f"the {_other(model)} backend is not installed; {command}"
    if model.backend.info.quantization:
        return "packed weights are MLX's alone"
    exact = model.backend.info.dtype == "float32"
    return "" if exact else "only float32 is the same on two engines"


def _other(model: Model) -> BackendName:
    return "torch" if model.spec.backend == "mlx" else "mlx"


def rounding(model: Model) -> float:
    """The relative error that the model's dtype alone explains, between kernels of other shapes.

    Measured on nine families with random weights: at most a fifth of this in float32.
    """
    return {"float32": 2e-5, "float16": 3e-3, "bfloat16": 2e-2}[model.backend.info.dtype]


def _as_found(spec: ModelSpec, folder: Path) -> ModelSpec:
    """The model at the commit that lies here: a branch such as `main` is another one tomorrow."""
    from_hub = not spec.is_local and folder.parent.name == "snapshots"
    return replace(spec, revision=folder.name) if from_hub else spec


def _folder(spec: ModelSpec) -> Path:
    if spec.is_local:
        return Path(spec.source)
    from huggingface_hub import snapshot_download  # noqa: PLC0415  half a second, hub models only
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(spec.source, revision=spec.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        raise DataError(
            "this model is not on this machine",
            received=f"no files of {spec.source} in the local cache",
            hint=f"interp fetch {spec.id}",
        ) from None


def _named(source: str) -> ModelSpec:
    try:
        registry = load_registry(find_registry(Path.cwd()))
    except DataError:
        registry = Registry(None, {})
    return resolve(registry, [source])[0]


def _refuse_backend(name: str) -> None:
    if name not in BACKENDS:
        raise RequestError("no such backend", received=repr(name), hint=closest(name, BACKENDS))


def _loader(spec: ModelSpec, folder: Path) -> Callable[..., Backend]:
    """What reads this folder: a language model's engine, or that of one that thinks."""
    if not (spec.base or holds_thoughts(folder)):
        return partial(_engine(spec.backend, BACKENDS).load, folder)
    engine = _engine(spec.backend, THINKERS)
    if not spec.base:
        return partial(engine.load, folder)
    base = ModelSpec(spec.base, spec.base, is_local=False, listed=False)
    return partial(engine.load_on, _folder(base), folder)


def _engine(name: str, engines: Mapping[str, tuple[str, str]]) -> type[Thinks]:
    if name not in engines:
        raise RequestError("this backend has no continuous thoughts", received=repr(name))
    module, cls = engines[name]
    try:
        engine: type[Thinks] = getattr(importlib.import_module(module), cls)
    except ImportError as error:
        raise RequestError(
            f"the {name} backend is not installed", received=error, hint=INSTALL[name]
        ) from None
    return engine


def _refuse_other_weights(spec: ModelSpec, backend: Backend) -> None:
    if spec.sha256 and spec.sha256 != backend.info.fingerprint:
        raise DataError(
            "the weights are not those that the registry pins",
            expected=spec.sha256,
            received=backend.info.fingerprint,
            where=spec.source,
            hint="restore the checkpoint, or change sha256 in models.toml knowingly",
        )
    thoughts = backend.info.thoughts
    if spec.parameters and thoughts and spec.parameters != thoughts.n_parameters:
        raise DataError(
            "the checkpoint has another number of weights than the registry says",
            expected=spec.parameters,
            received=thoughts.n_parameters,
            where=spec.source,
        )


def _refuse_other_chat(spec: ModelSpec, backend: Backend) -> None:
    found = backend.tokenizer.takes_system
    if spec.chat is not None and found is not spec.chat.system:
        said = {None: "there is none", True: "takes a system line", False: "takes no system line"}
        raise DataError(
            "the chat template is not what the registry says",
            expected=said[spec.chat.system],
            received=said[found],
            where=spec.source,
            hint="change `chat` in models.toml",
        )
