"""A transformers model and the one way in which anything is ever installed in it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from interp.backends.taps import Taps
from interp.backends.torch_blocking import blocking
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
from interp.errors import RequestError
from interp.sites import SITE_NAMES, SiteName


class Hooked:
    """The modules of a model at which sites are taken, and the lock around its hooks.

    Hooks belong to the model, not to the call: two calls at once would see each other's.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.decoder = decoder_of(model)
        self.blocks = blocks(self.decoder)
        self.norm = child(self.decoder, FINAL_NORM)
        self._lock = threading.RLock()
        self._returns_tuple = self._probe()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The model for oneself, without gradients."""
        with self._lock, torch.no_grad():
            yield

    @contextmanager
    def tapped(self, taps: Taps, heads: Mapping[SiteName, int]) -> Iterator[None]:
        """The taps of one call, installed under the lock and gone after it, whatever happens.

        Args:
            taps: what wants to see and set which sites.
            heads: how many heads the sites have that have heads.
        """
        with self._lock, torch.no_grad(), ExitStack() as stack:
            for install in self._installers(taps, heads):
                stack.callback(install().remove)
            if taps.blocks:
                stack.enter_context(self._blocking(taps))
            yield

    @contextmanager
    def head_only(self, value: Tensor) -> Iterator[None]:
        """Every layer skipped, and `value` given to the final norm: the rest is the model's own."""
        layers = [block.layer for block in self.blocks]
        with self._lock, torch.no_grad(), skipped(layers, returns_tuple=self._returns_tuple):
            handle = on_input(self.norm, lambda _: value)
            try:
                yield
            finally:
                handle.remove()

    def head(self, hidden: Tensor) -> Tensor:
        """The logits of residual-stream vectors, [n, d_model] to [n, d_vocab]."""
        ids = torch.zeros((len(hidden), 1), dtype=torch.long, device=hidden.device)
        with self.head_only(hidden[:, None]):
            logits: Tensor = self.model(input_ids=ids, use_cache=False).logits[:, 0]
        return logits

    def _blocking(self, taps: Taps) -> AbstractContextManager[None]:
        modules = [block.attention for block in self.blocks]
        return blocking(taps, self.decoder, modules)

    def _installers(self, taps: Taps, heads: Mapping[SiteName, int]) -> Iterator[Install]:
        """What to install, in the order in which a pass meets the sites of one module."""
        for site in sorted(taps.sites, key=lambda site: SITE_NAMES.index(site.name)):
            if site.name == "thought":
                continue  # no module makes it: whoever feeds it lets the taps see it
            tap = _shaped(site.name, partial(taps.at, site), heads)
            if site.name == "final_norm":
                yield partial(on_output, self.norm, tap)
            else:
                yield from self.blocks[site.layer or 0].installers(site.name, tap)

    def _probe(self) -> bool:
        """Whether this family's layers return tuples: seen in a pass over one token."""
        seen: list[bool] = []
        layer = self.blocks[0].layer
        handle = layer.register_forward_hook(lambda *args: seen.append(isinstance(args[2], tuple)))
        try:
            with torch.no_grad():
                self.model(input_ids=torch.zeros((1, 1), dtype=torch.long).to(self.model.device))
        finally:
            handle.remove()
        return seen == [True]


def refuse_training(model: Any) -> None:
    """Nothing, if every module of the model is in eval mode.

    Raises:
        RequestError: one is in train mode: its dropout gives another answer each time.
    """
    if _training(model):  # asked at every call, so the names are looked up afterwards
        name = next(name for name, module in model.named_modules() if module.training)
        raise RequestError(
            "a model in train mode has no fixed answer", received=name, hint="model.eval()"
        )


def _training(module: nn.Module) -> bool:
    return module.training or any(map(_training, module.children()))


def _shaped(name: SiteName, tap: Tap, heads: Mapping[SiteName, int]) -> Tap:
    """The tap with heads on an axis of their own, and the query before the head."""
    if name == "pattern":
        return lambda value: tap(value.transpose(1, 2)).transpose(1, 2)
    if name not in heads:
        return tap
    return lambda value: tap(value.view(*value.shape[:-1], heads[name], -1)).flatten(-2)
