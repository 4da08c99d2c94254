"""Bugs of a planner: it takes over what an edit has changed, or what is another prompt's."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.mutants.planting import Mutant, both, replaced

GROWTH = "interp.backends.torch_growing:Growth"
STREAM_LAYER = "interp.backends.sharing:stream_layer"


def stale(right: Any) -> Any:
    """Decode every row from its prompt's own keys and values, edited or not."""
    return lambda self, layer, grove: right(self, layer, replace(grove, brought=()))


def unedited_keys(right: Any) -> Any:
    """Let later positions read the unedited keys and values of the positions before."""

    def attend(
        self: Any, module: Any, query: Any, _key: Any, _value: Any, *rest: Any, **how: Any
    ) -> Any:
        prompt = self._wave.prompt[self._rows]
        start = self._trunk.lengths[prompt] - self._wave.width
        at = start[:, None] + np.arange(self._wave.width)
        kept = [
            part[self._layer].transpose(1, 2)[prompt[:, None], at].transpose(1, 2)
            for part in (self._trunk.keys, self._trunk.values)
        ]
        return right(self, module, query, *kept, *rest, **how)

    return attend


def one_layer_early(right: Any) -> Any:
    """Take the output of a layer for its input."""

    def stream_layer(site: Any, n_layers: int) -> Any:
        return site.layer if site.name == "resid_post" else right(site, n_layers)

    return stream_layer


def first_prompt(right: Any) -> Any:
    """Let the rows of all prompts see the first one."""
    return lambda prompt: right(prompt * 0)


def by_name(_right: Any) -> Any:
    """Tell variants apart by what they are called."""
    return lambda edit: (str(edit),)


def standing_still(right: Any) -> Any:
    """Give every new token the place of the first."""

    def feed(self: Any, tokens: Any, step: int) -> None:
        lengths, self._trunk.lengths = self._trunk.lengths, self._trunk.lengths - step
        right(self, tokens, step)
        self._trunk.lengths = lengths

    return feed


MUTANTS = (
    Mutant(
        "prefix-shared-although-it-is-edited",
        "a clean prefix under steering everywhere, wrong by 0.4 to 1.6",
        replaced(f"{GROWTH}._planted", stale),
    ),
    Mutant(
        "later-positions-read-unedited-keys",
        "TransformerLens #382, start_at_layer with a cache",
        replaced("interp.backends.torch_walk:Walk.attend", unedited_keys),
    ),
    Mutant(
        "output-of-a-layer-planned-as-its-input",
        "function_vectors; layer counted from the embedding",
        replaced(STREAM_LAYER, one_layer_early),
    ),
    Mutant(
        "prompts-share-the-first-one-s-cache",
        "a cache used for a second variant without a clone, wrong by 0.6 to 3.5",
        replaced("interp.backends.torch_attention:segments", first_prompt),
    ),
    Mutant(
        "variants-told-apart-by-name",
        "deduplication by a label that leaves out the vector",
        both(
            replaced("interp.planning:_look", by_name),
            replaced("interp.planning:_equal", lambda _: lambda *_pair: True),
        ),
    ),
    Mutant(
        "decoded-positions-stand-still",
        "nnsight 0.8 with transformers 4.57, batched generate",
        replaced(f"{GROWTH}._feed", standing_still),
    ),
)
