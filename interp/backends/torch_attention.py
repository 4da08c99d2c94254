"""Attention of rows that share a prompt, put in the place of a transformers model's own.

Transformers looks its attention function up by the name in the config. For the length of a call
the name is ours: the trunk then runs the model's own function and keeps keys and values; a wave
folds the rows of a prompt into the queries of one product against the prompt's keys.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from interp.errors import RequestError

Attend = Callable[..., tuple[Tensor, Any]]
KNOWN = ("eager", "sdpa")  # the implementations whose masks and shapes we know
UNDERSTOOD = frozenset(  # the first three are heeded, the others change nothing here
    {"scaling", "softcap", "sliding_window", "position_ids", "cache_position"}
)
_CURRENT: ContextVar[Attend] = ContextVar("attend")  # each thread runs a model of its own


@dataclass(frozen=True)
class Segment:
    """Rows start:stop of a batch, the same number of them for each of some prompts in a row."""

    start: int
    stop: int
    prompts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Shared:
    """What the rows of a batch see beside themselves: so many first tokens of their prompt."""

    segments: tuple[Segment, ...]
    seen: Tensor  # [row] tokens of the prompt
    keys: Tensor  # [prompt, kv_head, pos, d_head]
    values: Tensor
    absent: Tensor | None = None  # [row] how many first own keys a row does not have


def segments(prompt: np.ndarray) -> tuple[Segment, ...]:
    """The rows of prompts in order, in as few segments as there are changes in rows a prompt."""
    names, starts, counts = np.unique(prompt, return_index=True, return_counts=True)
    cuts = np.flatnonzero(np.diff(counts)) + 1
    parts = zip(np.split(names, cuts), np.split(starts, cuts), np.split(counts, cuts), strict=True)
    return tuple(
        Segment(int(start[0]), int(start[-1] + count[-1]), tuple(map(int, name)))
        for name, start, count in parts
        if len(name)
    )


@contextmanager
def attending(attend: Attend, modules: Sequence[nn.Module], own: str) -> Iterator[None]:
    """`attend` in the place of the attention of these modules, whose own is called `own`."""
    name = f"interp_{own}"
    AttentionInterface.register(name, _current)
    masks: Any = AttentionMaskInterface
    masks.register(name, masks()[own])
    found: list[Any] = [module.config for module in modules if hasattr(module, "config")]
    configs = {id(config): config for config in found}
    token = _CURRENT.set(attend)
    try:
        for config in configs.values():
            config._attn_implementation = name  # noqa: SLF001  there is no public name
        yield
    finally:
        for config in configs.values():
            config._attn_implementation = own  # noqa: SLF001
        _CURRENT.reset(token)


def original(own: str, attention: nn.Module) -> Attend:
    """The function that a model's attention calls by itself."""
    if own == "eager":
        function: Attend = sys.modules[type(attention).__module__].eager_attention_forward
        return function
    functions: Any = AttentionInterface
    found: Attend = functions()[own]
    return found


def shared_attention(
    query: Tensor, key: Tensor, value: Tensor, shared: Shared, **settings: Any
) -> Tensor:
    """Attention of rows to the first tokens of their prompt and to their own: [row, pos, head, d].

    Scores and softmax are float32 whatever the model computes in, as fused kernels have it.

    Raises:
        RequestError: the model asks for something that is not known here.
    """
    odd = {name for name, given in settings.items() if isinstance(given, Tensor)} - UNDERSTOOD
    if odd:
        raise RequestError("this attention is not known", received=", ".join(sorted(odd)))
    out = torch.empty(
        (query.shape[0], query.shape[2], query.shape[1], value.shape[-1]),
        dtype=query.dtype,
        device=query.device,
    )
    for segment in shared.segments:
        rows = slice(segment.start, segment.stop)
        out[rows] = _segment(query[rows], key[rows], value[rows], shared, segment, settings)
    return out


def _segment(
    query: Tensor, key: Tensor, value: Tensor, shared: Shared, segment: Segment, how: dict[str, Any]
) -> Tensor:
    """One segment: the rows of a prompt are queries of one product against the prompt's keys."""
    rows, n_heads, asks, d_head = query.shape
    prompts, n_kv = len(segment.prompts), key.shape[1]
    each, group = rows // prompts, n_heads // n_kv
    seen = shared.seen[segment.start : segment.stop]
    longest, picked = int(seen.max()), _picked(segment.prompts)
    folded = (prompts, n_kv, each * group * asks)  # to the prompt, all its rows at once
    single = (rows, n_kv, group * asks)  # to its own, each row by itself
    by_row = (prompts, each, n_kv, group, asks)
    by_head = (prompts, n_kv, each, group, asks)

    scale = d_head**-0.5 if how.get("scaling") is None else how["scaling"]
    query = (query.float() * scale).reshape(*by_row, d_head)
    keys = shared.keys[picked, :, :longest].float().transpose(-1, -2)
    to_prompt = query.transpose(1, 2).reshape(*folded, d_head) @ keys
    to_own = query.reshape(*single, d_head) @ key.float().transpose(-1, -2)
    scores = torch.cat(
        [
            to_prompt.view(*by_head, longest),
            to_own.view(*by_row, key.shape[2]).transpose(1, 2),
        ],
        dim=-1,
    )
    if how.get("softcap") is not None:
        scores = torch.tanh(scores / how["softcap"]) * how["softcap"]
    absent = None if shared.absent is None else shared.absent[segment.start : segment.stop]
    unseen = _unseen(seen, absent, asks, key.shape[2], how.get("sliding_window"))
    if unseen is not None:
        scores.masked_fill_(unseen.view(prompts, 1, each, 1, asks, -1), float("-inf"))
    weights = scores.softmax(dim=-1)
    values = shared.values[picked, :, :longest].float()
    from_prompt = weights[..., :longest].reshape(*folded, longest) @ values
    of_own = weights[..., longest:].transpose(1, 2).reshape(*single, key.shape[2])
    from_own = (of_own @ value.float()).view(*by_row, -1)
    out = from_prompt.view(*by_head, -1).transpose(1, 2) + from_own
    return out.permute(0, 1, 4, 2, 3, 5).reshape(rows, asks, n_heads, -1).to(value.dtype)


def _unseen(
    seen: Tensor, absent: Tensor | None, n_query: int, n_own: int, window: int | None
) -> Tensor | None:
    """Which keys, of the prompt and then its own, a query of a row must not see: [row, query, key].

    None where every row sees everything that is there.
    """
    longest, device = int(seen.max()), seen.device
    reach = longest + n_own if window is None else window
    near = longest + n_own <= reach
    if near and n_query == 1 and int(seen.min()) == longest and absent is None:
        return None
    before, own = torch.arange(longest, device=device), torch.arange(n_own, device=device)
    asks = own[n_own - n_query :, None]
    unseen = (before >= seen[:, None, None]).expand(-1, n_query, -1)
    later = (own > asks).expand(len(seen), -1, -1)
    missing = seen.new_zeros(len(seen)) if absent is None else absent
    later = later | (own < missing[:, None, None])
    if not near:
        asked_at = (seen - missing)[:, None, None] + asks
        unseen = unseen | (asked_at - before >= reach)
        later = later | (asks - own >= reach)
    return torch.cat([unseen, later], dim=-1)


def _picked(prompts: tuple[int, ...]) -> Any:
    """Neighbours as a slice, which copies nothing."""
    if prompts[-1] - prompts[0] + 1 == len(prompts):
        return slice(prompts[0], prompts[-1] + 1)
    return list(prompts)


def _current(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **settings: Any
) -> tuple[Tensor, Any]:
    return _CURRENT.get()(module, query, key, value, mask, **settings)
