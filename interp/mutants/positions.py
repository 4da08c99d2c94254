"""Bugs of where an edit or a reading lands: position, padding, row, head, span."""

from dataclasses import replace
from typing import Any

import numpy as np

from interp.mutants.hooks import APPLY
from interp.mutants.planting import Mutant, replaced

RANGE = "interp.encoded:Encoded._range"


def of_the_padded_axis(right: Any) -> Any:
    """Take the last column of the batch for the last token of every row."""

    def of_row(self: Any, row: int, place: Any) -> Any:
        width = max(self.lengths)
        return (width - 1, width) if place.kind == "last" else right(self, row, place)

    return of_row


def padding_too(right: Any) -> Any:
    """Take the whole padded row for "all"."""

    def of_row(self: Any, row: int, place: Any) -> Any:
        return (0, max(self.lengths)) if place.kind == "all" else right(self, row, place)

    return of_row


def first_if_unknown(right: Any) -> Any:
    """Take position 0 where a name matches nothing."""

    def of_row(self: Any, row: int, place: Any) -> Any:
        unknown = place.name and place.name not in self.spans[row]
        return (0, 1) if unknown else right(self, row, place)

    return of_row


def after_with_the_span(right: Any) -> Any:
    """Begin "after" at the span's own first token."""

    def of_row(self: Any, row: int, place: Any) -> Any:
        start, end = right(self, row, place)
        return (self.spans[row][place.name][0], end) if place.kind == "after" else (start, end)

    return of_row


def first_of_span(right: Any) -> Any:
    """Take a span's first token, where a model has not read the rest of it."""

    def position(at: Any) -> Any:
        found = right(at)
        return replace(found, part="first") if isinstance(at, str) else found

    return position


def shifted(right: Any) -> Any:
    """Edit the next position."""
    return lambda x, write, mask, constant: right(x, write, np.roll(mask, 1, axis=1), constant)


def padded_left(right: Any) -> Any:
    """Pad on the left, with neither a mask nor position ids."""

    def forward(self: Any, ids: Any, writes: Any = (), *, capture: Any = (), **how: Any) -> Any:
        shifts = [max(map(len, ids)) - len(row) for row in ids]
        filled = [(0,) * shift + tuple(row) for shift, row in zip(shifts, ids, strict=True)]
        moved = [replace(write, mask=_rolled(write.mask, shifts)) for write in writes]
        out = right(self, filled, moved, capture=capture, **how)
        backwards = [-shift for shift in shifts]
        captured = {
            site: _blank(_rolled(out.captured[site], backwards), shifts) for site in capture
        }
        logits = out.logits
        if how.get("logits") == "all":
            logits = _blank(_rolled(logits, backwards), shifts)
        return replace(out, logits=logits, captured=captured)

    return forward


def _rolled(values: Any, shifts: Any) -> Any:
    return np.stack([np.roll(row, by, axis=0) for row, by in zip(values, shifts, strict=True)])


def _blank(values: Any, shifts: Any) -> Any:
    for row, shift in enumerate(shifts):
        values[row, values.shape[1] - shift :] = np.nan
    return values


MUTANTS = (
    Mutant("position-off-by-one", "vLLM-Hook #11", replaced(APPLY, shifted)),
    Mutant("last-token-of-the-padded-axis", "pyreft #110", replaced(RANGE, of_the_padded_axis)),
    Mutant(
        "absolute-position-in-a-padded-batch",
        "pyreft #105",
        replaced(RANGE, lambda right: lambda self, _row, place: right(self, 0, place)),
    ),
    Mutant("padding-is-steered", "repeng, left-padded batches", replaced(RANGE, padding_too)),
    Mutant(
        "unmatched-name-is-position-0",
        "BUGFIX.md; HoppingTooLate",
        replaced(RANGE, first_if_unknown),
    ),
    Mutant("after-includes-the-span", "pyreft #105", replaced(RANGE, after_with_the_span)),
    Mutant(
        "span-means-its-first-token",
        "HoppingTooLate generate_patching_inputs",
        replaced("interp.positions:position", first_of_span),
    ),
    Mutant(
        "span-one-token-late",
        "TransformerLens #1418, a BOS not counted",
        replaced(
            "interp.backends.tokenizer:_tokens_of",
            lambda right: lambda *given: tuple(place + 1 for place in right(*given)),
        ),
    ),
    Mutant(
        "rows-are-ignored",
        "IBM activation-steering, batches",
        replaced("interp.resolve:_rows", lambda _: lambda _edit, batch: np.ones(batch, dtype=bool)),
    ),
    Mutant(
        "heads-are-ignored",
        "pyvene #158",
        replaced(
            "interp.backends.arithmetic:_head_mask",
            lambda right: lambda n, heads: np.ones_like(right(n, heads)),
        ),
    ),
    Mutant(
        "left-padding-without-positions",
        "TransformerLens #1609; transformers #29419",
        replaced("interp.backends.torch:TorchBackend.forward", padded_left),
    ),
)
