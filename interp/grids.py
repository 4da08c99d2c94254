"""The result of a sweep: a value for every variant and prompt, and how it was found."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from interp.edits import Edit
from interp.ledger import Entry
from interp.rungs import Rung

if TYPE_CHECKING:
    import pandas as pd


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


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """A value for every variant and prompt: [variant, batch, ...], and how it was found.

    `ledgers` has one ledger a variant; `rung` says which way the cells were computed.
    """

    variants: tuple[tuple[Edit, ...], ...]
    values: Shaped[np.ndarray, "variant batch ..."]
    ledgers: tuple[tuple[Entry, ...], ...]
    rung: Rung
    work: Work

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        size = f"{self.values.shape[0]} variants x {self.values.shape[1]} prompts"
        return f"<grid of {size}, {self.rung}>"

    @property
    def axes(self) -> dict[str, tuple[str, ...] | tuple[int, ...]]:
        """The first two axes by name: what each variant and each prompt is called."""
        return {
            "variant": tuple(" + ".join(map(str, variant)) for variant in self.variants),
            "prompt": tuple(range(self.values.shape[1])),
        }

    def frame(self) -> "pd.DataFrame":
        """One row a cell: variant, prompt and value, with what a single edit is known by."""
        import pandas as pd  # noqa: PLC0415  a second to import, used here only

        names, prompts = self.axes.values()
        rows = [
            {"variant": name, **_coordinates(variant), "prompt": prompt}
            for name, variant in zip(names, self.variants, strict=True)
            for prompt in prompts
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
