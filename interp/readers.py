"""What to read of the next token, as values: one number a prompt, from a few rows at a time.

A reader is a metric of a run like any other; a sweep that is given one never holds the logits of
more than a few rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped

from interp.backends.taps import finite
from interp.encoded import Encoded
from interp.errors import RequestError
from interp.metrics import Choices, logit_difference, probability, rank, top1
from interp.models import Model
from interp.runs import Run

Metric = Callable[[Run], Shaped[np.ndarray, "batch ..."]]
Rows = np.ndarray
BLOCK = 3 * 2**23  # bytes of logits read at once: rows enough for a product at full speed
Logits = Float[np.ndarray, "n d_vocab"]


@runtime_checkable
class Reads(Protocol):
    """Whatever says something of some rows of a batch, from their logits."""

    def read(self, encoded: Encoded, rows: Rows, logits: Logits) -> Shaped[np.ndarray, "n ..."]:
        """The numbers of these rows."""
        ...


@dataclass(frozen=True)
class Reader:
    """A number of each row's logits, answers and foils."""

    name: str
    of: Callable[[Logits, Choices, Choices], np.ndarray]
    needs: tuple[str, ...] = ("answers",)

    def __call__(self, run: Run) -> Shaped[np.ndarray, "batch ..."]:
        """The numbers of a run."""
        return self.read(run.encoded, np.arange(len(run.encoded.ids)), run.next_logits)

    def read(self, encoded: Encoded, rows: Rows, logits: Logits) -> Shaped[np.ndarray, "n ..."]:
        """The numbers of some rows of a batch, from their logits.

        Raises:
            RequestError: a prompt without the answers or foils that this needs.
        """
        for name in self.needs:
            if not all(getattr(encoded, name)):
                raise RequestError(
                    f"a prompt has no {name}", where=repr(encoded.prompts), hint=f"give it {name}"
                )
        answers, foils = (
            [known[row] for row in rows] for known in (encoded.answers, encoded.foils)
        )
        return np.asarray(self.of(logits, answers, foils))


@dataclass(frozen=True)
class Ranks:
    """A reader of the ranks of several sets of tokens: [batch, target], 0 for the top.

    `targets` has for each of them one set of tokens a row; the best of a set counts.
    """

    targets: tuple[Choices, ...]

    def read(self, encoded: Encoded, rows: Rows, logits: Logits) -> Int[np.ndarray, "n target"]:
        """The ranks of some rows of a batch, from their logits.

        Raises:
            RequestError: a target that has not one set of tokens a row.
        """
        for known in self.targets:
            if len(known) != len(encoded.ids) or not all(known):
                raise RequestError(
                    "a target has one set of tokens a prompt",
                    expected=len(encoded.ids),
                    received=len(known),
                )
        each = (rank(logits, [known[row] for row in rows]) for known in self.targets)
        return np.stack(list(each), axis=1)


def in_blocks(
    model: Model, encoded: Encoded, rows: Rows, hidden: Float[np.ndarray, "n d_model"], read: Reads
) -> Shaped[np.ndarray, "n ..."]:
    """What a reader says of states of rows, with the logits of a few of them at a time."""
    return np.concatenate(
        [
            read.read(encoded, rows[low:high], unembedded(model, hidden[low:high]))
            for low, high in some_rows(model, len(hidden))
        ]
    )


def some_rows(model: Model, n: int) -> Iterator[tuple[int, int]]:
    """So many rows, cut into parts whose logits are held at once: [start, end) of each."""
    most = max(BLOCK // (4 * model.backend.info.d_vocab), 1)
    return pairwise(np.linspace(0, n, -(-n // most) + 1).astype(int).tolist())


def unembedded(
    model: Model, hidden: Float[np.ndarray, "n d_model"]
) -> Float[np.ndarray, "n d_vocab"]:
    """The logits of states.

    Raises:
        NonFiniteError: one is NaN or infinite.
    """
    return finite(model.backend.unembed(hidden), "logits", np.ones(len(hidden), dtype=bool))


likeliest = Reader("likeliest", lambda logits, *_: logits.argmax(axis=-1), ())
right_answer = Reader("right_answer", lambda logits, answers, _: top1(logits, answers))
answer_rank = Reader("answer_rank", lambda logits, answers, _: rank(logits, answers))
answer_probability = Reader(
    "answer_probability", lambda logits, answers, _: probability(logits, answers)
)
answer_margin = Reader("answer_margin", logit_difference, ("answers", "foils"))


def likeliest_tokens(count: int) -> Reader:
    """A reader of the `count` likeliest tokens, likeliest first: [batch, count]."""

    def of(logits: Logits, *_: Choices) -> np.ndarray:
        top = np.argpartition(logits, -count, axis=-1)[:, -count:]
        order = np.argsort(-np.take_along_axis(logits, top, axis=-1), axis=-1, kind="stable")
        return np.take_along_axis(top, order, axis=-1)

    return Reader(f"likeliest_tokens({count})", of, ())
