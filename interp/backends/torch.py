"""PyTorch and transformers: sites as forward hooks on the model's own modules.

Facts this module rests on (layers that return tuples or tensors, attention called by keyword,
sandwich norms, right padding without a mask) are checked on every model at load by
`interp.backends.selfcheck`; a site that does not pass is refused.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.backends.available import refuse_unavailable, refuse_unwritable
from interp.backends.batching import decoded_by_length, real_positions, until
from interp.backends.protocol import Decoded, Forward, LogitsAt, ModelInfo, Write
from interp.backends.taps import Taps, blank, finite
from interp.backends.tokenizer import Tokenizer
from interp.backends.torch_arrays import TorchArrays
from interp.backends.torch_hooks import Hooked, refuse_training
from interp.backends.torch_loading import describe, load_model
from interp.backends.torch_reference import TorchReference
from interp.backends.torch_sharing import TorchSharing, memory
from interp.errors import RequestError
from interp.sites import Site, SiteName


class TorchBackend:
    """A causal language model of transformers, its tokenizer, and the lock around its hooks."""

    def __init__(self, model: Any, tokenizer: Tokenizer, fingerprint: str) -> None:
        self._model = model.eval().requires_grad_(requires_grad=False)
        self.tokenizer = tokenizer
        self._arrays = TorchArrays(model.device)
        self._hooked = Hooked(model)
        known = describe(model, len(self._hooked.blocks), fingerprint)
        self.info: ModelInfo = replace(known, end_ids=known.end_ids | tokenizer.end_ids)
        self._keeps = "logits_to_keep" in inspect.signature(type(model).forward).parameters

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
        padded, real = self._padded(ids)
        with memory(), self._tapped(writes, capture, real) as taps:
            out = self._logits(padded, real, logits)
        return Forward(out, taps.all_captured(), taps.fired())

    def generate(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write] = (), *, max_new_tokens: int
    ) -> Decoded:
        """Greedy decoding; rows of one length go together, so that no row sees padding."""

        def decode(batch: Sequence[Sequence[int]], own: Sequence[Write]) -> Decoded:
            return self._generate_even(batch, own, max_new_tokens)

        return decoded_by_length(ids, writes, decode)

    def unembed(self, hidden: Float[np.ndarray, "n d_model"]) -> Float[np.ndarray, "n d_vocab"]:
        """The model's own forward with every layer skipped: norm, head, softcap and scaling."""
        self._refuse_unfit()
        value = self._arrays.constant(hidden).to(self._model.dtype)
        return self._arrays.numpy(self._hooked.head(value))

    @property
    def reference(self) -> TorchReference:
        """The model as transformers itself runs it."""
        self._refuse_unfit()
        return TorchReference(self._model)

    @property
    def sharing(self) -> TorchSharing:
        """The steps of a planned sweep on this model."""
        self._refuse_unfit()
        return TorchSharing(self._hooked, self.info)

    def head_weights(self, layer: int) -> Float[np.ndarray, "head d_head d_model"]:
        """The output projection of attention as [head, d_head, d_model]."""
        module: Any = self._hooked.blocks[layer].out_proj
        weight = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
        return self._arrays.numpy(weight).reshape(self.info.n_heads, self.info.d_head, -1)

    def close(self) -> None:
        """Drop the weights."""
        self._model = None
        del self._hooked

    def _refuse_unfit(self) -> None:
        if self._model is None:
            raise RequestError("this model was closed", hint="load it again")
        refuse_training(self._model)

    def _padded(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Bool[np.ndarray, "batch pos"]]:
        self._refuse_unfit()
        real = real_positions(ids, self.info.max_length)
        padded = torch.zeros(real.shape, dtype=torch.long)
        padded[torch.from_numpy(real)] = torch.tensor([i for row in ids for i in row])
        return padded.to(self._model.device), real

    def _logits(
        self, ids: Tensor, real: Bool[np.ndarray, "batch pos"], which: LogitsAt
    ) -> Float[np.ndarray, "..."]:
        if which == "none":
            self._hooked.decoder(input_ids=ids, use_cache=False)
            return np.zeros((len(ids), 0), np.float32)
        logits = last_logits if which == "last" else all_logits
        return logits(self._model, ids, real, keeps=self._keeps)

    def _generate_even(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write], max_new_tokens: int
    ) -> Decoded:
        padded, real = self._padded(ids)
        steps: list[Tensor] = []
        done = torch.zeros(len(ids), dtype=torch.bool)
        end = torch.tensor(sorted(self.info.end_ids), dtype=torch.long)
        with memory(), self._tapped(writes, (), real) as taps:
            for tokens in greedy(self._model, padded, last_only=self._keeps):
                steps.append(tokens)
                done |= torch.isin(tokens, end)
                if len(steps) == max_new_tokens or done.all():
                    break
                taps.move_to([write.generated[:, None] for write in writes], real[:, :1])
        rows = torch.stack(steps, dim=1).tolist()
        passes = (len(steps) - 1,) * len(ids)
        return Decoded(tuple(until(row, self.info.end_ids) for row in rows), passes, taps.fired())

    @contextmanager
    def _tapped(
        self,
        writes: Sequence[Write],
        capture: Sequence[Site],
        real: Bool[np.ndarray, "batch pos"],
    ) -> Iterator[Taps]:
        """The taps of one call, refused beforehand where the model lacks a site."""
        refuse_unwritable(self.info, writes)
        for site in capture:
            refuse_unavailable(self.info, site)
        taps = Taps(writes, capture, self._arrays)
        taps.move_to([write.mask for write in writes], real)
        with self._hooked.tapped(taps, self.info.heads):
            yield taps


def last_logits(
    model: Any, ids: Tensor, real: Bool[np.ndarray, "batch pos"], *, keeps: bool
) -> Float[np.ndarray, "batch d_vocab"]:
    """The logits at each row's last token; a model that `keeps` some makes no others."""
    last = real.sum(axis=1) - 1
    kept = np.unique(last)
    asked = {"logits_to_keep": torch.from_numpy(kept).to(ids.device)} if keeps else {}
    out = model(input_ids=ids, use_cache=False, **asked).logits
    at = torch.from_numpy(np.searchsorted(kept, last) if keeps else last).to(ids.device)
    rows = out[torch.arange(len(out), device=ids.device), at].float().cpu().numpy()
    return finite(rows, "logits", np.ones(len(rows), dtype=bool))


def all_logits(
    model: Any, ids: Tensor, real: Bool[np.ndarray, "batch pos"], *, keeps: bool
) -> Float[np.ndarray, "batch pos d_vocab"]:
    """The logits at every token, NaN at padding."""
    asked = {"logits_to_keep": 0} if keeps else {}  # 0 says all
    out = model(input_ids=ids, use_cache=False, **asked).logits.float().cpu().numpy()
    return blank(finite(out, "logits", real), real)


def greedy(model: Any, ids: Tensor, *, last_only: bool) -> Iterator[Tensor]:
    """The likeliest next token of every row, fed back for as long as somebody asks for more."""
    kept = {"logits_to_keep": 1} if last_only else {}
    past = None
    while True:
        out = model(input_ids=ids, past_key_values=past, use_cache=True, **kept)
        past, logits = out.past_key_values, out.logits[:, -1].float().cpu()
        finite(logits.numpy(), "logits", np.ones(len(logits), dtype=bool))
        tokens = logits.argmax(-1)
        yield tokens
        ids = tokens[:, None].to(ids.device)
