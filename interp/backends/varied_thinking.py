"""Thinking another harmless way: questions in another order, or a few at a time."""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from jaxtyping import Float

from interp.backends.batching import for_rows
from interp.backends.protocol import Write
from interp.backends.thinking import ThinkRequest, Thinks, ThinksOften, Thought, joined
from interp.backends.varied import Varied


class VariedThinker(Varied):
    """A varied backend whose checkpoint thinks."""

    def think(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write], request: ThinkRequest
    ) -> Thought:
        """Several courses of thought over parts of the batch, put together as one."""
        groups = self._parts(len(ids))
        return joined([self._part(ids, writes, rows, request) for rows in groups], groups)

    @property
    def thinks_apart(self) -> str:
        """Why variants must be thought one by one."""
        inner = self.backend
        if isinstance(inner, ThinksOften):
            return inner.thinks_apart
        return f"{type(inner).__name__} thinks one by one"

    def think_each(
        self,
        ids: Sequence[Sequence[int]],
        variants: Sequence[Sequence[Write]],
        request: ThinkRequest,
    ) -> Iterator[Thought]:
        """Every variant over parts of the batch, put together as one."""
        groups, inner = self._parts(len(ids)), cast("ThinksOften", self.backend)
        courses = []
        for rows in groups:
            own = [[for_rows(write, rows, 0) for write in writes] for writes in variants]
            courses.append(inner.think_each([ids[row] for row in rows], own, request))
        return (joined(pieces, groups) for pieces in zip(*courses, strict=True))

    def word_vectors(self, ids: Sequence[int]) -> Float[np.ndarray, "word d_model"]:
        """The embeddings of these tokens."""
        return cast("Thinks", self.backend).word_vectors(ids)

    def rethink(
        self, ids: Sequence[int], request: ThinkRequest
    ) -> tuple[Float[np.ndarray, "step d_model"], Float[np.ndarray, " d_vocab"]]:
        """One row with nothing cached, which is not varied."""
        return cast("Thinks", self.backend).rethink(ids, request)

    def _part(
        self,
        ids: Sequence[Sequence[int]],
        writes: Sequence[Write],
        rows: Sequence[int],
        request: ThinkRequest,
    ) -> Thought:
        batch = [ids[row] for row in rows]
        # One more than the question: the token that begins the thoughts is under the masks too.
        longest = max(map(len, batch)) + 1
        own = [for_rows(write, rows, longest) for write in writes]
        return cast("Thinks", self.backend).think(batch, own, request)
