"""MLX and mlx-lm: sites as taps on the model's own modules, each given a class of its own.

Facts this module rests on (which module writes what, sandwich norms, right padding without a mask,
caches) are checked on every model at load by `interp.backends.selfcheck`; a site that does not pass
is refused. MLX computes nothing before it is asked to: a captured or edited value is computed where
it is met, so that never more than one site is held.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from jaxtyping import Bool, Float
from mlx_lm.models.cache import make_prompt_cache

from interp.backends.available import refuse_unavailable
from interp.backends.batching import decoded_by_length, real_positions, until
from interp.backends.mlx_arrays import MlxArrays, padded
from interp.backends.mlx_hooks import Hooked
from interp.backends.mlx_loading import describe, float_weight, load_model
from interp.backends.mlx_places import Tap
from interp.backends.mlx_reference import MlxReference
from interp.backends.mlx_sharing import MlxSharing
from interp.backends.protocol import Decoded, Forward, LogitsAt, ModelInfo, Write
from interp.backends.taps import Taps, blank, finite
from interp.backends.tokenizer import Tokenizer
from interp.errors import RequestError
from interp.sites import Site, SiteName


class MlxBackend:
    """A causal language model of mlx-lm, its tokenizer, and the lock around its taps."""

    def __init__(self, hooked: Hooked, tokenizer: Tokenizer, info: ModelInfo) -> None:
        self._hooked: Hooked | None = hooked
        self.tokenizer = tokenizer
        self.info = replace(info, end_ids=info.end_ids | tokenizer.end_ids)
        self._arrays = MlxArrays()

    @classmethod
    def load(
        cls, folder: Path, *, dtype: str, device: str | None, attn_implementation: str | None
    ) -> "MlxBackend":
        """Load a checkpoint folder: safetensors only, every key used, every weight finite.

        `attn_implementation` is torch's affair: mlx-lm has one attention a family.

        Raises:
            DataError: files missing or torn, keys missing or left over, no tokenizer, a family or
                an entry of the config that mlx-lm does not know.
            NonFiniteError: a weight is NaN or infinite.
        """
        del attn_implementation
        model, config, fingerprint = load_model(folder, dtype=dtype)
        hooked = Hooked(model, _device(device))
        info = describe(model, config, hooked.blocks, fingerprint)
        return cls(hooked, Tokenizer(folder), replace(info, device=_name(hooked.device)))

    def refuse(self, sites: Mapping[SiteName, str]) -> None:
        """Remember why these sites must not be used on this model."""
        self.info = replace(self.info, refused={**sites, **self.info.refused})

    def forward(
        self,
        ids: Sequence[Sequence[int]],
        writes: Sequence[Write] = (),
        *,
        capture: Sequence[Site] = (),
        logits: LogitsAt = "last",
    ) -> Forward:
        """One pass over a right-padded batch: causal attention never looks at the padding."""
        real = real_positions(ids, self.info.max_length)
        last = real.sum(axis=1) - 1
        keep = at_each(last) if logits == "last" else everywhere
        with self._tapped(writes, capture, real, keep) as (model, taps):
            out = self._logits(model(padded(ids, real)), real, logits)
        return Forward(out, taps.all_captured(), taps.fired())

    def generate(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write] = (), *, max_new_tokens: int
    ) -> Decoded:
        """Greedy decoding; rows of one length go together, so that no row sees padding."""

        def decode(batch: Sequence[Sequence[int]], own: Sequence[Write]) -> Decoded:
            return self._generate_even(batch, own, max_new_tokens)

        return decoded_by_length(ids, writes, decode)

    def unembed(self, hidden: Float[np.ndarray, "n d_model"]) -> Float[np.ndarray, "n d_vocab"]:
        """The model's own forward with its final norm given `hidden`: norm, head and all after."""
        hooked = self._open()
        with hooked.alone():
            return self._arrays.numpy(hooked.head(self._arrays.constant(hidden)))

    @property
    def reference(self) -> MlxReference:
        """The model as mlx-lm itself runs it."""
        return MlxReference(self._open(), self.info.end_ids)

    @property
    def sharing(self) -> MlxSharing:
        """The steps of a planned sweep on this model."""
        return MlxSharing(self._open(), self.info)

    def head_weights(self, layer: int) -> Float[np.ndarray, "head d_head d_model"]:
        """The output projection of attention as [head, d_head, d_model], dequantised."""
        hooked = self._open()
        with hooked.alone():
            weight = self._arrays.numpy(float_weight(hooked.blocks[layer].out_proj))
        return np.ascontiguousarray(weight.T).reshape(self.info.n_heads, self.info.d_head, -1)

    def close(self) -> None:
        """Drop the weights, and give the memory back that MLX keeps for later."""
        self._hooked = None
        gc.collect()
        mx.clear_cache()

    def _open(self) -> Hooked:
        if self._hooked is None:
            raise RequestError("this model was closed", hint="load it again")
        return self._hooked

    def _logits(
        self, out: mx.array, real: Bool[np.ndarray, "batch pos"], which: LogitsAt
    ) -> Float[np.ndarray, "..."]:
        """The logits that are wanted; for "none" the head is never computed."""
        if which == "none":
            return np.zeros((len(real), 0), np.float32)
        kept = self._arrays.numpy(out)
        if which == "last":
            return finite(kept[:, 0], "logits", np.ones(len(kept), dtype=bool))
        return blank(finite(kept, "logits", real), real)

    def _generate_even(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write], max_new_tokens: int
    ) -> Decoded:
        real = real_positions(ids, self.info.max_length)
        room = self.info.max_length - real.shape[1]
        steps: list[np.ndarray] = []
        with self._tapped(writes, (), real, at_last) as (model, taps):
            for tokens in greedy(model, padded(ids, real)):
                steps.append(tokens)
                done = np.isin(np.stack(steps), list(self.info.end_ids)).any(axis=0)
                if len(steps) == max_new_tokens or done.all():
                    break
                if len(steps) > room:
                    raise RequestError(
                        "decoding goes on beyond the model's length", expected=self.info.max_length
                    )
                taps.move_to([write.generated[:, None] for write in writes], real[:, :1])
        rows = np.stack(steps, axis=1).tolist()
        passes = (len(steps) - 1,) * len(ids)
        return Decoded(tuple(until(row, self.info.end_ids) for row in rows), passes, taps.fired())

    @contextmanager
    def _tapped(
        self,
        writes: Sequence[Write],
        capture: Sequence[Site],
        real: Bool[np.ndarray, "batch pos"],
        keep: Tap,
    ) -> Iterator[tuple[Any, Taps]]:
        """The model with the taps of one call, refused beforehand where it lacks a site."""
        hooked = self._open()
        if any(write.keys is not None for write in writes):
            raise RequestError(
                "MLX's attention is one kernel that nothing can be blocked in here",
                hint='load(..., backend="torch")',
            )
        for site in (*(write.site for write in writes), *capture):
            refuse_unavailable(self.info, site)
        taps = Taps(writes, capture, self._arrays)
        taps.move_to([write.mask for write in writes], real)
        with hooked.tapped(taps, self.info.heads, keep):
            yield hooked.model, taps


def greedy(model: Any, ids: mx.array) -> Iterator[np.ndarray]:
    """The likeliest next token of every row, fed back for as long as somebody asks for more."""
    cache = make_prompt_cache(model)
    while True:
        logits = np.array(model(ids, cache=cache)[:, -1].astype(mx.float32))
        mx.eval([layer.state for layer in cache])
        finite(logits, "logits", np.ones(len(logits), dtype=bool))
        tokens = logits.argmax(axis=-1)
        yield tokens
        ids = mx.array(tokens.astype(np.int32))[:, None]


def at_each(positions: np.ndarray) -> Tap:
    """Of [batch, pos, d_model], one position a row: the head is computed there only."""
    return lambda value: mx.take_along_axis(value, mx.array(positions)[:, None, None], axis=1)


def at_last(value: mx.array) -> mx.array:
    """Of [batch, pos, d_model], the last position."""
    return value[:, -1:]


def everywhere(value: mx.array) -> mx.array:
    """All of it."""
    return value


def _device(name: str | None) -> mx.Device:
    """The device of that name; MLX's own choice where none is named.

    Raises:
        RequestError: this build of MLX does not have it.
    """
    if name is None:
        return mx.default_device()
    kinds = {"cpu": mx.cpu, "gpu": mx.gpu, "mps": mx.gpu, "cuda": mx.gpu}
    if name not in kinds or not mx.device_count(kinds[name]):
        raise RequestError("MLX does not have this device", received=repr(name), hint="device=None")
    return mx.Device(kinds[name])


def _name(device: mx.Device) -> str:
    return "cpu" if device.type == mx.cpu else "gpu"
