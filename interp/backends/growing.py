"""Greedy decoding of rows that share their prompts, whichever engine runs the layers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial

import numpy as np
from jaxtyping import Int

from interp.backends.batching import until
from interp.backends.brush import Brush, at_layer
from interp.backends.protocol import ModelInfo
from interp.backends.rows import Array
from interp.backends.sharing import Grove, Grown
from interp.errors import NonFiniteError
from interp.sites import SiteName

HEAD_ROWS = 64  # rows whose logits are held at once


class Growing(ABC):
    """Rows of a grove that are being decoded; who has ended, leaves."""

    def __init__(
        self, brush: Brush, info: ModelInfo, grove: Grove, rows: Int[np.ndarray, " n"], limit: int
    ) -> None:
        """All of these rows have read their prompts."""
        self._brush, self._engine = brush, brush.engine
        self._info, self._grove, self._limit = info, grove, limit
        self._rows, self._alive = rows, rows
        self._step, self._layer_tokens = 0, 0
        self._hidden: Array  # what the final norm reads of each row, [row, d_model]

    def to_the_end(self) -> Grown:
        """One token after another, until every row has ended or has as many as it may.

        Raises:
            NonFiniteError: what a token would be chosen by is NaN or infinite.
        """
        chosen = np.zeros((len(self._grove.prompt), self._limit), dtype=np.int64)
        for step in range(self._limit):
            if not self._engine.all_finite(self._hidden):
                where = f"the final norm's input at new token {step + 1}"
                raise NonFiniteError("an activation is NaN or infinite", where=where)
            tokens = self._likeliest()
            chosen[self._alive, step] = tokens
            going = ~np.isin(tokens, list(self._info.end_ids))
            if step + 1 == self._limit or not going.any():
                break
            self._alive = self._alive[going]
            if not going.all():
                self._leave(np.flatnonzero(going))
            self._layer_tokens += len(self._alive) * self._info.n_layers
            self._feed(tokens[going], step)
        new = [until(row, self._info.end_ids) for row in chosen[self._rows].tolist()]
        return Grown(tuple(new), tuple(self._brush.moved), self._layer_tokens)

    @abstractmethod
    def _likeliest(self) -> Int[np.ndarray, " row"]:
        """The likeliest next token of every row, with the logits of a few rows at a time."""

    @abstractmethod
    def _leave(self, kept: Int[np.ndarray, " n"]) -> None:
        """Go on with these of the rows only."""

    @abstractmethod
    def _feed(self, tokens: Int[np.ndarray, " row"], step: int) -> None:
        """One token a row through the model."""

    def _taps(self) -> Iterator[tuple[int, SiteName, partial[Array]]]:
        """What must sit at which layer and site; the layer after the last is the final norm."""
        place = np.full(len(self._grove.prompt), -1)
        place[self._alive] = np.arange(len(self._alive))
        for layer in range(self._info.n_layers + 1):
            if stream := at_layer(self._grove.strokes, layer, stream=True):
                yield layer, "resid_pre", partial(self._brush.at, stream, place, None)
            inside = at_layer(self._grove.strokes, layer, stream=False)
            for name, tap in self._brush.taps(inside, place, self._info.heads):
                yield layer, name, tap
