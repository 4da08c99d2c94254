"""Attention with some edges blocked, by the model's own attention function and another mask.

Where nothing is blocked, the value is the one the model computes without us, bit for bit: other
masks choose other kernels.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from interp.backends.taps import Edges, Taps
from interp.backends.torch_attention import KNOWN, attending, original
from interp.errors import RequestError


@contextmanager
def blocking(taps: Taps, decoder: Any, attentions: Sequence[nn.Module]) -> Iterator[None]:
    """The edges that the taps name blocked, in every pass until this ends.

    Raises:
        RequestError: the model's attention takes no mask that is known here.
    """
    own = decoder.config._attn_implementation  # noqa: SLF001  there is no public name
    if own not in KNOWN:
        raise RequestError(
            "attention is blocked by a mask, and this attention's is not known",
            expected=" or ".join(KNOWN),
            received=own,
            hint='attn_implementation = "eager" in models.toml',
        )
    blind = _Blind(taps, own, {id(module): layer for layer, module in enumerate(attentions)})
    with attending(blind, [decoder, *attentions], own):
        yield


@dataclass(frozen=True, eq=False)
class _Blind:
    """The attention of every block, blind to what the taps say."""

    taps: Taps
    own: str
    layers: Mapping[int, int]

    def __call__(
        self, module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **settings: Any
    ) -> tuple[Tensor, Any]:
        """The model's attention, then again for each write with all that is blocked so far."""
        run = partial(original(self.own, module), module, query, key, value, **settings)
        out, pattern = run(mask)
        layer, seen = self.layers[id(module)], mask
        for edges in self.taps.edges(layer, query.shape[2], key.shape[2]):
            blocked = _by_head(edges, query)
            seen = _without(blocked, seen, query, self.own)
            less, its_pattern = run(seen)
            fewer = blocked.any(dim=-1, keepdim=True)
            before, out = out, torch.where(fewer.transpose(1, 2), less, out)
            pattern = None if pattern is None else torch.where(fewer, its_pattern, pattern)
            self.taps.note(edges.number, before, out)
        return out, pattern


def _by_head(edges: Edges, query: Tensor) -> Tensor:
    """The blocked edges as [batch, head or 1, query, key]."""
    blocked = torch.from_numpy(edges.blocked).to(query.device)[:, None]
    if edges.heads is None:
        return blocked
    named = torch.zeros((1, query.shape[1], 1, 1), dtype=torch.bool, device=query.device)
    named[:, list(edges.heads)] = True
    return blocked & named


def _without(blocked: Tensor, mask: Tensor | None, query: Tensor, own: str) -> Tensor:
    """A mask without the blocked edges, of the kind that the attention function takes."""
    n_query, n_keys = blocked.shape[-2:]
    if mask is None:
        ones = torch.ones((n_query, n_keys), dtype=torch.bool, device=query.device)
        mask = ones.tril(n_keys - n_query)[None, None]
        if own == "eager":
            mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, float("-inf"))
    if mask.dtype == torch.bool:
        return mask & ~blocked
    return mask.expand(-1, blocked.shape[1], -1, -1).masked_fill(blocked, float("-inf"))
