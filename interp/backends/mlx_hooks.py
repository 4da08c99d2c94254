"""An MLX model, the places in it at which sites are taken, and the lock around them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import mlx.core as mx

from interp.backends.mlx_layout import FINAL_NORM, blocks, child, decoder_of
from interp.backends.mlx_places import Place, Tap, installed
from interp.backends.taps import Taps
from interp.sites import SITE_NAMES, SiteName


class Hooked:
    """The modules of a model at which sites are taken, and the lock around its hooks.

    Hooks belong to the model, not to the call: two calls at once would see each other's.
    """

    def __init__(self, model: Any, device: mx.Device) -> None:
        decoder = decoder_of(model)
        self.model = model
        self.device = device
        self.blocks = blocks(decoder)
        self.norm = child(decoder, FINAL_NORM)
        self._lock = threading.RLock()

    @contextmanager
    def alone(self, *places: Place) -> Iterator[None]:
        """The model for one caller, on its device, with these taps and no others."""
        with self._lock, mx.stream(self.device), installed(places):
            yield

    @contextmanager
    def tapped(
        self, taps: Taps, heads: Mapping[SiteName, int], keep: Callable[[mx.array], mx.array]
    ) -> Iterator[None]:
        """The taps of one call, installed under the lock and gone after it, whatever happens.

        Args:
            taps: what wants to see and set which sites.
            heads: how many heads the sites have that have heads.
            keep: takes, of the final norm's output, the positions that logits are wanted at.
        """
        wanted = [*self._places(taps, heads), Place(self.norm, keep, "output")]
        with self.alone(*wanted):
            yield

    def head(self, hidden: mx.array) -> mx.array:
        """The logits of residual-stream vectors, [n, d_model] to [n, d_vocab].

        The model's own forward with its final norm given `hidden`: the layers before it are never
        computed, since nothing depends on them.
        """
        given = Place(self.norm, lambda old: hidden[None].astype(old.dtype), "input")
        with self.alone(given):
            return self.model(mx.zeros((1, len(hidden)), mx.int32))[0]

    def _places(self, taps: Taps, heads: Mapping[SiteName, int]) -> Iterator[Place]:
        """Where the taps sit, in the order in which a pass meets the sites of one module."""
        for site in sorted(taps.sites, key=lambda site: SITE_NAMES.index(site.name)):
            tap = _shaped(site.name, partial(taps.at, site), heads)
            if site.name == "final_norm":
                yield Place(self.norm, tap, "output")
            else:
                yield from self.blocks[site.layer or 0].places(site.name, tap)


def _shaped(name: SiteName, tap: Tap, heads: Mapping[SiteName, int]) -> Tap:
    """The tap with heads on an axis of their own."""
    if name not in heads:
        return tap

    def on_heads(value: mx.array) -> mx.array:
        return tap(value.reshape(*value.shape[:-1], heads[name], -1)).reshape(value.shape)

    return on_heads
