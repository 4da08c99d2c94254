"""Trunks and waves on transformers: the model's own layers, called with the rows that need them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from interp.backends.batching import real_positions
from interp.backends.protocol import ModelInfo
from interp.backends.sharing import Stroke, TrunkPlan, Wave, Waved
from interp.backends.taps import finite
from interp.backends.torch_attention import (
    KNOWN,
    Attend,
    Shared,
    attending,
    original,
    segments,
    shared_attention,
)
from interp.backends.torch_hooks import Hooked
from interp.backends.torch_layout import on_input
from interp.backends.torch_strokes import Brush, at_layer, headed
from interp.sites import SITE_NAMES

CPU_TOKENS, GPU_TOKENS = 1024, 16384


@dataclass(eq=False)
class TorchTrunk:
    """The unedited pass: keys, values and the stream where rows leave it, on the device.

    `stream[layer]` is the layer's input from `first` on, [prompt, pos, d_model].
    """

    lengths: np.ndarray
    first: np.ndarray
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    stream: dict[int, Tensor] = field(default_factory=dict)
    given: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)
    final: Tensor = field(default_factory=lambda: torch.empty(0))
    layer_tokens: int = 0

    @property
    def hidden(self) -> np.ndarray:
        """What the final norm reads at each prompt's last position."""
        return np.asarray(self.final.float().cpu().numpy())


@dataclass(frozen=True, eq=False)
class TorchSharing:
    """The steps of a planned sweep on one transformers model."""

    hooked: Hooked
    info: ModelInfo

    @property
    def refused(self) -> str:
        """Why this model cannot share; empty where nothing is known against it."""
        own = self.info.attn_implementation
        return "" if own in KNOWN else f"{own} attention has no shared form here"

    @property
    def tokens_at_once(self) -> int:
        """How many tokens saturate the device."""
        return CPU_TOKENS if self.info.device == "cpu" else GPU_TOKENS

    def bytes_a_token(self, longest: int) -> int:
        """What one token of a wave takes at most, with prompts of at most this length."""
        config = self.hooked.model.config.get_text_config()
        inner = getattr(config, "intermediate_size", None) or 4 * self.info.d_model
        scores = 3 * self.info.n_heads * longest * 4
        return int(scores + (3 * inner + 8 * self.info.d_model) * self.hooked.model.dtype.itemsize)

    def trunk(self, plan: TrunkPlan) -> TorchTrunk:
        """The unedited pass over prompts of any lengths, right-padded: the model's own decoder."""
        real = real_positions(plan.ids, self.info.max_length)
        lengths = real.sum(axis=1)
        trunk = TorchTrunk(lengths, np.asarray(plan.first))
        padded = torch.zeros(real.shape, dtype=torch.long)
        padded[torch.from_numpy(real)] = torch.tensor([i for row in plan.ids for i in row])
        with self._attending(partial(self._remember, trunk)), ExitStack() as stack:
            for layer, block in enumerate(self.hooked.blocks):
                hook = partial(_note, trunk, layer, plan.layers)
                handle = block.layer.register_forward_pre_hook(hook, with_kwargs=True)
                stack.callback(handle.remove)
            last = partial(_last, trunk, len(self.hooked.blocks), plan.layers)
            stack.callback(on_input(self.hooked.norm, last).remove)
            self.hooked.decoder(input_ids=padded.to(self.hooked.model.device), use_cache=False)
        trunk.layer_tokens = int(lengths.sum()) * len(self.hooked.blocks)
        finite(trunk.hidden, "resid_post", np.ones(len(lengths), dtype=bool))
        return trunk

    def wave(self, trunk: TorchTrunk, wave: Wave, *, keep: bool = False) -> Waved:
        """The rows of a wave from where they join to the end; their keys and values if asked."""
        walk = Walk(self, trunk, wave, keep=keep)
        with self._attending(walk.attend):
            return walk.to_the_end()

    @contextmanager
    def _attending(self, attend: Attend) -> Iterator[None]:
        modules = [self.hooked.decoder, *(block.attention for block in self.hooked.blocks)]
        with self.hooked.alone(), memory(), attending(attend, modules, self.info.attn_implementation):
            yield

    def _remember(self, trunk: TorchTrunk, module: Any, *args: Any, **settings: Any) -> Any:
        """The model's own attention, its keys and values kept."""
        trunk.keys.append(args[1])
        trunk.values.append(args[2])
        return original(self.info.attn_implementation, module)(module, *args, **settings)


class Walk:
    """One wave on its way through the layers: rows join, are written to, and go on."""

    def __init__(self, sharing: TorchSharing, trunk: TorchTrunk, wave: Wave, *, keep: bool) -> None:
        """Nobody is on the way yet."""
        self._hooked, self._info = sharing.hooked, sharing.info
        self._trunk, self._wave, self._keep = trunk, wave, keep
        self._device = trunk.final.device
        self._brush = Brush(self._device)
        self._rows = np.zeros(0, dtype=np.int64)  # those on the way, in the order of their prompts
        self._resting = np.zeros(len(wave.prompt), dtype=bool)
        self._layer, self._layer_tokens = 0, 0
        self.own: dict[int, tuple[np.ndarray, Tensor, Tensor]] = {}
        self._shared: Shared

    def to_the_end(self) -> Waved:
        """Every layer from the first that somebody joins, and the final norm's input."""
        wave, hidden = self._wave, None
        layers = len(self._hooked.blocks)
        for layer in range(int(wave.joins.min(initial=layers)), layers + 1):
            self._layer = layer
            hidden = self._entering(hidden)
            if layer < layers and len(self._rows):
                hidden = self._through(hidden)
        final = self._trunk.final[self._tensor(wave.prompt)].clone()
        if hidden is not None and len(self._rows):
            final[self._tensor(self._rows)] = hidden[:, -1]
        array = np.asarray(final.float().cpu().numpy())
        finite(array, "resid_post", np.ones(len(array), dtype=bool))
        return Waved(array, tuple(self._brush.moved), self._layer_tokens, self if self._keep else None)

    def attend(
        self, _module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, **settings: Any
    ) -> tuple[Tensor, None]:
        """Attention to the prompt's first tokens, which are shared, and to the row's own."""
        if self._keep:
            self.own[self._layer] = (self._rows, key, value)
        return shared_attention(query, key, value, self._shared, **settings), None

    def _entering(self, hidden: Tensor | None) -> Tensor | None:
        """The rows that are on the way, with those that join at this layer, and its strokes."""
        joining = np.flatnonzero(self._wave.joins == self._layer)
        strokes = at_layer(self._wave.strokes, self._layer, stream=True)
        if len(joining):
            plain = self._from_trunk(joining)
            hidden = plain if hidden is None else torch.cat([hidden, plain])
            rows = np.concatenate([self._rows, joining])
            order = np.argsort(self._wave.prompt[rows], kind="stable")
            self._rows, hidden = rows[order], hidden[self._tensor(order)]
        if hidden is None or not strokes:
            return hidden
        struck = hidden
        for stroke in strokes:
            struck = self._brush.apply(struck, stroke, self._places())
        return self._without_resting(hidden, struck) if len(joining) else struck

    def _from_trunk(self, rows: np.ndarray) -> Tensor:
        """The stream that these rows take over from their prompts: [row, width, d_model]."""
        prompt, width = self._wave.prompt[rows], self._wave.width
        start = self._trunk.lengths[prompt] - width - self._trunk.first[prompt]
        at = start[:, None] + np.arange(width)
        return self._trunk.stream[self._layer][self._tensor(prompt)[:, None], self._tensor(at)]

    def _without_resting(self, before: Tensor, after: Tensor) -> Tensor:
        """Without the rows whose only write changed nothing: they are their prompt as it is."""
        may = self._wave.rests[self._rows] & (self._wave.joins[self._rows] == self._layer)
        if not may.any():
            return after
        same = (before == after).flatten(1).all(dim=1).cpu().numpy()
        goes = ~(same & may)
        self._rows = self._rows[goes]
        return after if goes.all() else after[self._tensor(np.flatnonzero(goes))]

    def _through(self, hidden: Tensor) -> Tensor:
        prompt = self._wave.prompt[self._rows]
        start = self._trunk.lengths[prompt] - self._wave.width
        self._shared = Shared(
            segments(prompt),
            self._tensor(start),
            self._trunk.keys[self._layer],
            self._trunk.values[self._layer],
        )
        at = self._tensor(start[:, None] + np.arange(self._wave.width))
        args, kwargs = self._trunk.given[self._layer]
        placed = partial(_placed, at=at, padded=int(self._trunk.lengths.max()))
        self._layer_tokens += len(self._rows) * self._wave.width
        with self._written(at_layer(self._wave.strokes, self._layer, stream=False)):
            block = self._hooked.blocks[self._layer].layer
            out = block(hidden, *map(placed, args), **{k: placed(v) for k, v in kwargs.items()})
        return out[0] if isinstance(out, tuple) else out

    @contextmanager
    def _written(self, strokes: Sequence[Stroke]) -> Iterator[None]:
        """The strokes inside this layer, at the modules where any edit is made."""
        block, places = self._hooked.blocks[self._layer], self._places()
        names = sorted({s.site.name for s in strokes}, key=SITE_NAMES.index)
        with ExitStack() as stack:
            for name in names:
                chosen = [s for s in strokes if s.site.name == name]
                tap = partial(self._struck, chosen, places)
                for install in block.installers(name, tap):
                    stack.callback(install().remove)
            yield

    def _struck(self, strokes: Sequence[Stroke], places: np.ndarray, value: Tensor) -> Tensor:
        n_heads = self._info.heads.get(strokes[0].site.name)
        shaped = headed(value, n_heads)
        for stroke in strokes:
            shaped = self._brush.apply(shaped, stroke, places)
        return shaped.reshape(value.shape)

    def _places(self) -> np.ndarray:
        places = np.full(len(self._wave.prompt), -1)
        places[self._rows] = np.arange(len(self._rows))
        return places

    def _tensor(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(numbers, np.int64)).to(self._device)


@contextmanager
def memory() -> Iterator[None]:
    """What does not fit raises MemoryError, whichever device it did not fit on.

    Raises:
        MemoryError: out of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from None
        raise


def _note(
    trunk: TorchTrunk,
    layer: int,
    wanted: frozenset[int],
    _module: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> None:
    """Keep how the model calls this layer, and its input where rows will join."""
    named = dict(kwargs)
    hidden = args[0] if args else named.pop("hidden_states")
    trunk.given[layer] = (args[1:], named)
    if layer in wanted:
        trunk.stream[layer] = _from_first(trunk, hidden)


def _last(trunk: TorchTrunk, layer: int, wanted: frozenset[int], hidden: Tensor) -> Tensor:
    """Keep the final norm's input at the last positions, and where rows will join."""
    rows = torch.arange(len(hidden), device=hidden.device)
    trunk.final = hidden[rows, torch.from_numpy(trunk.lengths - 1).to(hidden.device)]
    if layer in wanted:
        trunk.stream[layer] = _from_first(trunk, hidden)
    return hidden


def _from_first(trunk: TorchTrunk, hidden: Tensor) -> Tensor:
    """The stream from each prompt's first position that a row takes over."""
    widest = int((trunk.lengths - trunk.first).max())
    at = np.minimum(trunk.first[:, None] + np.arange(widest), trunk.lengths[:, None] - 1)
    rows = torch.arange(len(hidden), device=hidden.device)[:, None]
    return hidden[rows, torch.from_numpy(at).to(hidden.device)]


def _placed(value: Any, *, at: Tensor, padded: int) -> Any:
    """What the model gave a layer for every position, for the positions of these rows.

    Masks are left out, as the attention function knows what a row sees.
    """
    if isinstance(value, tuple):
        return tuple(_placed(part, at=at, padded=padded) for part in value)
    if not isinstance(value, Tensor):
        return value
    if value.ndim in (2, 3) and value.shape[0] == 1 and value.shape[1] == padded:
        return value[0][at]
    return None
