"""PyTorch and transformers: sites as forward hooks on the model's own modules.

Facts this module rests on (layers that return tuples or tensors, attention called by keyword,
sandwich norms, right padding without a mask) are checked on every model at load by
`interp.backends.selfcheck`; a site that does not pass is refused.
"""

import inspect
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.backends.batching import by_length, for_rows, real_positions, until
from interp.backends.protocol import Decoded, Fired, Forward, LogitsAt, ModelInfo, Write
from interp.backends.taps import Taps, blank, finite, merged
from interp.backends.tokenizer import Tokenizer
from interp.backends.torch_layout import (
    FINAL_NORM,
    Install,
    Tap,
    blocks,
    child,
    decoder_of,
    on_input,
    on_output,
    skipped,
)
from interp.backends.torch_loading import describe, load_model
from interp.backends.torch_reference import TorchReference
from interp.errors import RequestError
from interp.sites import SITE_NAMES, Site, SiteName

HEADS: Mapping[SiteName, str] = {
    "z": "n_heads",
    "q": "n_heads",
    "k": "n_kv_heads",
    "v": "n_kv_heads",
}


class TorchArrays:
    """numpy to torch and back, on one device."""

    def __init__(self, device: torch.device) -> None:
        """Remember the device."""
        self._device = device

    def constant(self, value: Float[np.ndarray, "..."]) -> Tensor:
        """A numpy array as float32 on the device."""
        return torch.tensor(np.asarray(value, np.float32), device=self._device)

    def float32(self, value: Tensor) -> Tensor:
        """The value in float32."""
        return value.float()

    def cast_like(self, value: Tensor, reference: Tensor) -> Tensor:
        """The value in the reference's dtype, rounded once."""
        return value.to(reference.dtype)

    def numpy(self, value: Tensor) -> Float[np.ndarray, "..."]:
        """The value as numpy float32."""
        return np.asarray(value.detach().float().cpu().numpy())


class TorchBackend:
    """A causal language model of transformers, its tokenizer, and the lock around its hooks."""

    def __init__(self, model: Any, tokenizer: Tokenizer, fingerprint: str) -> None:
        self._model = model
        self._model.eval().requires_grad_(requires_grad=False)
        self.tokenizer = tokenizer
        self._lock = threading.RLock()
        self._engine = TorchArrays(model.device)
        decoder = decoder_of(model)
        self._blocks = blocks(decoder)
        self._norm: Any = child(decoder, FINAL_NORM)
        self.info: ModelInfo = describe(model, len(self._blocks), fingerprint)
        self._keeps = "logits_to_keep" in inspect.signature(type(model).forward).parameters
        self._returns_tuple = self._probe()

    @classmethod
    def load(
        cls, folder: Path, *, dtype: str, device: str | None, attn_implementation: str | None
    ) -> "TorchBackend":
        """Load a checkpoint folder: safetensors only, every key used, every weight finite.

        Raises:
            DataError: files missing or torn, keys missing or left over, no tokenizer.
            NonFiniteError: a weight is NaN or infinite.
        """
        model, fingerprint = load_model(
            folder, dtype=dtype, attn_implementation=attn_implementation
        )
        where: Any = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(model.to(where), Tokenizer(folder), fingerprint)

    def refuse(self, sites: Mapping[SiteName, str]) -> None:
        """Remember why these sites must not be used on this model."""
        self.info = replace(self.info, refused={**self.info.refused, **sites})

    def forward(
        self,
        ids: Sequence[Sequence[int]],
        writes: Sequence[Write] = (),
        *,
        capture: Sequence[Site] = (),
        logits: LogitsAt = "last",
    ) -> Forward:
        """One pass over a right-padded batch: causal attention never looks at the padding."""
        padded, real = self._padded(ids)
        with self._session(writes, capture, [write.mask for write in writes], real) as taps:
            out = self._logits(padded, real, logits)
        return Forward(out, taps.all_captured(), taps.fired())

    def generate(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write] = (), *, max_new_tokens: int
    ) -> Decoded:
        """Greedy decoding; rows of one length go together, so that no row sees padding."""
        new: dict[int, tuple[int, ...]] = {}
        passes = [0] * len(ids)
        fired: list[list[Fired]] = [[] for _ in writes]
        for rows in by_length(ids):
            batch = [ids[row] for row in rows]
            own = [for_rows(write, rows, len(batch[0])) for write in writes]
            decoded = self._generate_even(batch, own, max_new_tokens)
            new.update(zip(rows, decoded.new_ids, strict=True))
            for row, count in zip(rows, decoded.passes, strict=True):
                passes[row] = count
            for parts, one in zip(fired, decoded.fired, strict=True):
                parts.append(one)
        return Decoded(
            tuple(new[row] for row in range(len(ids))), tuple(passes), tuple(map(merged, fired))
        )

    def unembed(self, hidden: Float[np.ndarray, "n d_model"]) -> Float[np.ndarray, "n d_vocab"]:
        """The model's own forward with every layer skipped: norm, head, softcap and scaling."""
        value = self._engine.constant(hidden)[None].to(self._model.dtype)
        self._refuse_unfit()
        layers = [block.layer for block in self._blocks]
        with self._lock, torch.no_grad(), skipped(layers, self._returns_tuple):
            handle = on_input(self._norm, lambda _: value)
            try:
                ids = torch.zeros(value.shape[:2], dtype=torch.long, device=self._model.device)
                return self._engine.numpy(self._model(input_ids=ids, use_cache=False).logits[0])
            finally:
                handle.remove()

    @property
    def reference(self) -> TorchReference:
        """The model as transformers itself runs it."""
        self._refuse_unfit()
        return TorchReference(self._model)

    def head_weights(self, layer: int) -> Float[np.ndarray, "head d_head d_model"]:
        """The output projection of attention as [head, d_head, d_model]."""
        module: Any = self._blocks[layer].out_proj
        weight = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
        return self._engine.numpy(weight).reshape(self.info.n_heads, self.info.d_head, -1)

    def close(self) -> None:
        """Drop the weights."""
        self._model, self._blocks, self._norm = None, (), None

    def _refuse_unfit(self) -> None:
        if self._model is None:
            raise RequestError("this model was closed", hint="load it again")
        if any(module.training for module in self._model.modules()):
            raise RequestError(
                "a model in train mode has dropout and no fixed answer", hint="model.eval()"
            )

    def _padded(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Bool[np.ndarray, "batch pos"]]:
        self._refuse_unfit()
        real = real_positions(ids, self.info.max_length)
        padded = torch.zeros(real.shape, dtype=torch.long)
        padded[torch.from_numpy(real)] = torch.tensor([i for row in ids for i in row])
        return padded.to(self._model.device), real

    def _logits(
        self, ids: Tensor, real: Bool[np.ndarray, "batch pos"], which: LogitsAt
    ) -> Float[np.ndarray, "..."]:
        last = real.sum(axis=1) - 1
        kept = np.unique(last) if which == "last" else np.arange(real.shape[1])
        asked = {"logits_to_keep": torch.from_numpy(kept).to(ids.device)} if self._keeps else {}
        out = self._engine.numpy(self._model(input_ids=ids, use_cache=False, **asked).logits)
        if which == "none":
            return out[:, :0, 0]
        if which == "last":
            at = np.searchsorted(kept, last) if self._keeps else last
            out = out[np.arange(len(out)), at]
            return finite(out, "logits", np.ones(len(out), dtype=bool))
        return blank(finite(out, "logits", real), real)

    def _generate_even(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write], max_new_tokens: int
    ) -> Decoded:
        padded, real = self._padded(ids)
        steps: list[Tensor] = []
        done = torch.zeros(len(ids), dtype=torch.bool)
        end = torch.tensor(sorted(self.tokenizer.end_ids), dtype=torch.long)
        past, step, shown = None, padded, real
        with self._session(writes, (), [write.mask for write in writes], real) as taps:
            while len(steps) < max_new_tokens and not done.all():
                out = self._model(input_ids=step, past_key_values=past, use_cache=True)
                past, last = out.past_key_values, out.logits[:, -1].float().cpu()
                finite(last.numpy(), "logits", np.ones(len(ids), dtype=bool))
                steps.append(last.argmax(-1))
                done |= torch.isin(steps[-1], end)
                step, shown = steps[-1][:, None].to(padded.device), np.ones((len(ids), 1), bool)
                taps.move_to([write.generated[:, None] for write in writes], shown)
        new = torch.stack(steps, dim=1).tolist()
        passes = (len(steps) - 1,) * len(ids)
        return Decoded(
            tuple(until(row, self.tokenizer.end_ids) for row in new), passes, taps.fired()
        )

    def _installers(self, taps: Taps) -> Iterator[Install]:
        """What to install, in the order in which a pass meets the sites of one module."""
        for site in sorted(taps.sites, key=lambda site: SITE_NAMES.index(site.name)):
            tap = self._shaped(site.name, partial(taps.at, site))
            if site.name == "final_norm":
                yield partial(on_output, self._norm, tap)
            else:
                yield from self._blocks[site.layer or 0].installers(site.name, tap)

    def _shaped(self, name: SiteName, tap: Tap) -> Tap:
        """The tap with heads on an axis of their own, and the query before the head."""
        if name == "pattern":
            return lambda value: tap(value.transpose(1, 2)).transpose(1, 2)
        if name not in HEADS:
            return tap
        n_heads = getattr(self.info, HEADS[name])
        return lambda value: tap(value.view(*value.shape[:-1], n_heads, -1)).flatten(-2)

    def _probe(self) -> bool:
        """Whether this family's layers return tuples: seen in a pass over one token."""
        seen: list[bool] = []
        layer = self._blocks[0].layer
        handle = layer.register_forward_hook(lambda *args: seen.append(isinstance(args[2], tuple)))
        try:
            with torch.no_grad():
                self._model(
                    input_ids=torch.zeros((1, 1), dtype=torch.long, device=self._model.device)
                )
        finally:
            handle.remove()
        return seen == [True]

    @contextmanager
    def _session(
        self,
        writes: Sequence[Write],
        capture: Sequence[Site],
        masks: Sequence[Bool[np.ndarray, "batch pos"]],
        real: Bool[np.ndarray, "batch pos"],
    ) -> Iterator["Taps"]:
        """The taps of one call, installed under the lock and gone after it, whatever happens."""
        for site in (*(write.site for write in writes), *capture):
            self._refuse_site(site)
        with self._lock, torch.no_grad(), ExitStack() as stack:
            taps = Taps(writes, capture, self._engine)
            taps.move_to(masks, real)
            for install in self._installers(taps):
                stack.callback(install().remove)
            yield taps

    def _refuse_site(self, site: Site) -> None:
        if site.layer is not None and site.layer >= self.info.n_layers:
            last = self.info.n_layers - 1
            raise RequestError(
                "no such layer",
                asked=str(site),
                expected=f"layer in 0..{last}",
                received=site.layer,
                hint=f"{site.name}({last}), or {site.name}(model.layer('last'))",
            )
        if site.name == "pattern" and self.info.attn_implementation != "eager":
            raise RequestError(
                "attention patterns exist only where attention is computed eagerly",
                asked=str(site),
                expected='attn_implementation="eager"',
                received=self.info.attn_implementation,
                hint="set attn_implementation in models.toml",
            )
        if site.name in self.info.refused:
            raise RequestError(
                "this site is not available on this model",
                asked=str(site),
                received=self.info.refused[site.name],
                where=self.info.family,
            )
