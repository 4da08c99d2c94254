"""The result of a sweep: a value for every variant and prompt, and how it was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from interp.edits import Edit
from interp.errors import RequestError
from interp.ledger import Entry
from interp.rungs import Rung

if TYPE_CHECKING:
    import pandas as pd

Coordinate = str | int | float
UNNAMED = "variant"  # the axis of variants that were given without coordinates


@dataclass(frozen=True)
class Work:
    """What a sweep took, in layers times tokens, beside what it would have taken one by one.

    `head_rows` are the states that were multiplied with the unembedding. `audited` cells were run
    again through plain hooks, and were at most `worst` apart; what that took is not counted.
    `halved` portions did not fit into memory, `kept` cells are of an earlier try.
    """

    layer_tokens: int
    one_by_one: int
    head_rows: int
    audited: int = 0
    worst: float = 0.0
    halved: int = 0
    kept: int = 0


@dataclass(frozen=True, eq=False)
class Variants:
    """Variants of one experiment, each at its coordinates on named axes.

    `Variants(("layer", "alpha"), {(3, 0.5): (steer(...),), ...})`; they need not fill the axes.

    Raises:
        RequestError: coordinates that do not fit the axes, or an axis with the name of a column.
    """

    axes: tuple[str, ...]
    at: Mapping[Any, tuple[Edit, ...]]  # by tuples of coordinates

    def __post_init__(self) -> None:
        """Refuse what cannot be told apart."""
        odd = [where for where in self.at if len(where) != len(self.axes)]
        if odd:
            raise RequestError(
                "a variant has one coordinate an axis", expected=self.axes, received=odd[0]
            )
        if {"prompt", "value"} & {*self.axes} or len({*self.axes}) < len(self.axes):
            raise RequestError(
                "each axis has a name of its own", received=self.axes, hint="not prompt or value"
            )

    def along(self, axis: str) -> tuple[Coordinate, ...]:
        """The coordinates on an axis, each once, as they were first named."""
        place = self.axes.index(axis)
        return tuple(dict.fromkeys(where[place] for where in self.at))


def declared(variants: Sequence[tuple[Edit, ...]] | Variants) -> Variants:
    """Variants with their coordinates; without any they are numbered."""
    if isinstance(variants, Variants):
        return variants
    return Variants((UNNAMED,), {(number,): one for number, one in enumerate(variants)})


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """A value for every variant and prompt: [variant, batch, ...], and how it was found.

    `ledgers` has one ledger a variant; `rung` says which way the cells were computed.
    """

    declared: Variants
    values: Shaped[np.ndarray, "variant batch ..."]
    ledgers: tuple[tuple[Entry, ...], ...]
    rung: Rung
    work: Work

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        size = f"{self.values.shape[0]} variants x {self.values.shape[1]} prompts"
        return f"<grid of {size}, {self.rung}>"

    @property
    def variants(self) -> tuple[tuple[Edit, ...], ...]:
        """The edits of each variant."""
        return tuple(self.declared.at.values())

    @property
    def axes(self) -> dict[str, tuple[Coordinate, ...]]:
        """The axes by name, prompts last; variants without coordinates are on one, by their edits.

        `table` has a value for each combination of them.
        """
        named = {axis: self.declared.along(axis) for axis in self.declared.axes}
        if UNNAMED in named:
            named = {UNNAMED: tuple(" + ".join(map(str, one)) for one in self.variants)}
        return {**named, "prompt": tuple(range(self.values.shape[1]))}

    @property
    def table(self) -> Shaped[np.ndarray, "..."]:
        """The values by their coordinates: [*axes, batch, ...], NaN where there is no variant."""
        axes = [self.declared.along(axis) for axis in self.declared.axes]
        shape, values = (*map(len, axes), *self.values.shape[1:]), self.values
        if len(values) == np.prod(shape[: len(axes)]):
            table = np.empty(shape, values.dtype)
        else:
            table = np.full(shape, np.nan, np.result_type(values, np.float32))
        places = [{name: n for n, name in enumerate(axis)} for axis in axes]
        for where, value in zip(self.declared.at, values, strict=True):
            table[tuple(place[one] for place, one in zip(places, where, strict=True))] = value
        return table

    def frame(self) -> "pd.DataFrame":
        """One row a cell: its coordinates, prompt and value, and what a single edit is known by."""
        import pandas as pd  # noqa: PLC0415  a second to import, used here only

        rows = [
            {"variant": " + ".join(map(str, variant)), **_coordinates(variant)}
            | {
                axis: one
                for axis, one in zip(self.declared.axes, where, strict=True)
                if axis != UNNAMED
            }
            | {"prompt": prompt}
            for where, variant in self.declared.at.items()
            for prompt in range(self.values.shape[1])
        ]
        values = self.values.reshape(len(rows), *self.values.shape[2:])
        return pd.DataFrame(rows).assign(value=values if values.ndim == 1 else list(values))


def _coordinates(variant: tuple[Edit, ...]) -> dict[str, object]:
    """What tells a variant of one edit from its neighbours; nothing for other variants."""
    if len(variant) != 1:
        return {}
    (edit,) = variant
    place = {"verb": edit.verb, "site": edit.site.name, "layer": edit.site.layer}
    return {**place, "alpha": edit.alpha, "at": str(edit.at), "heads": edit.heads}
