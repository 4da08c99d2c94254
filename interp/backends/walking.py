"""Rows that leave the trunk, on their way to the final norm, whichever engine runs the layers."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from interp.backends.brush import Brush, at_layer
from interp.backends.kept import KeptTrunk
from interp.backends.rows import Array
from interp.backends.sharing import Wave, Waved
from interp.backends.taps import finite


class Walking(ABC):
    """One wave on its way through the layers: rows join, are written to, and go on."""

    def __init__(self, trunk: KeptTrunk, wave: Wave, n_layers: int, *, keep: bool) -> None:
        """Nobody is on the way yet."""
        self._trunk, self._wave, self._keep = trunk, wave, keep
        self._n_layers = n_layers
        self._engine = trunk.engine
        self._brush = Brush(self._engine)
        self._rows = np.zeros(0, dtype=np.int64)  # those on the way, in the order of their prompts
        self._layer, self._layer_tokens = 0, 0
        self._own: dict[int, Any] = {}

    def to_the_end(self) -> Waved:
        """Every layer from the first that somebody joins, and the final norm's input."""
        wave, layers = self._wave, self._n_layers
        hidden: Array | None = None
        for layer in range(int(wave.joins.min(initial=layers)), layers + 1):
            self._layer = layer
            hidden = self._entering(hidden)
            if layer < layers and hidden is not None and len(self._rows):
                self._layer_tokens += len(self._rows) * wave.width
                hidden = self._through(hidden)
        final = self._trunk.final[self._engine.indices(wave.prompt)]
        if hidden is not None and len(self._rows):
            rows = self._engine.indices(self._rows)
            final = self._engine.put(final, (rows,), hidden[:, -1])
        array = finite(self._engine.numpy(final), "resid_post", np.ones(len(final), dtype=bool))
        own = self._own if self._keep else None
        return Waved(array, tuple(self._brush.moved), self._layer_tokens, own)

    @abstractmethod
    def _through(self, hidden: Array) -> Array:
        """The rows that are on the way through this layer: [row, width, d_model]."""

    def _entering(self, hidden: Array | None) -> Array | None:
        """The rows that are on the way, with those that join at this layer, and its strokes."""
        joining = np.flatnonzero(self._wave.joins == self._layer)
        strokes = at_layer(self._wave.strokes, self._layer, stream=True)
        if len(joining):
            plain = self._from_trunk(joining)
            hidden = plain if hidden is None else self._engine.together(hidden, plain)
            rows = np.concatenate([self._rows, joining])
            order = np.argsort(self._wave.prompt[rows], kind="stable")
            self._rows, hidden = rows[order], hidden[self._engine.indices(order)]
        if hidden is None or not strokes:
            return hidden
        struck = self._brush.at(strokes, self._places(), None, hidden)
        return self._without_resting(hidden, struck) if len(joining) else struck

    def _from_trunk(self, rows: Int[np.ndarray, " n"]) -> Array:
        """The stream that these rows take over from their prompts: [row, width, d_model]."""
        prompt, width = self._wave.prompt[rows], self._wave.width
        start = self._trunk.lengths[prompt] - width - self._trunk.first[prompt]
        at = start[:, None] + np.arange(width)
        indices = self._engine.indices
        return self._trunk.stream[self._layer][indices(prompt[:, None]), indices(at)]

    def _without_resting(self, before: Array, after: Array) -> Array:
        """Without the rows whose only write changed nothing: they are their prompt as it is."""
        may = self._wave.rests[self._rows] & (self._wave.joins[self._rows] == self._layer)
        if not may.any():
            return after
        goes = ~(self._engine.alike(before, after) & may)
        self._rows = self._rows[goes]
        return after if goes.all() else after[self._engine.indices(np.flatnonzero(goes))]

    def _places(self, chosen: Bool[np.ndarray, " n"] | None = None) -> Int[np.ndarray, " row"]:
        """Where each row of the wave is among those on the way, or among the chosen of them."""
        rows = self._rows if chosen is None else self._rows[chosen]
        places = np.full(len(self._wave.prompt), -1)
        places[rows] = np.arange(len(rows))
        return places
