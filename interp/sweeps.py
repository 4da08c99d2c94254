"""Many variants of one experiment over the same prompts, as a table of one number a cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from interp.edits import Edit
from interp.errors import RequestError
from interp.models import Model
from interp.prompts import PromptSet, as_prompt_set
from interp.runs import Run, run

if TYPE_CHECKING:
    import pandas as pd

Metric = Callable[[Run], Shaped[np.ndarray, " batch"]]


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """A metric for every variant and prompt: [variant, batch]."""

    variants: tuple[tuple[Edit, ...], ...]
    values: Shaped[np.ndarray, "variant batch"]

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        return f"<grid of {self.values.shape[0]} variants x {self.values.shape[1]} prompts>"

    def frame(self) -> "pd.DataFrame":
        """One row a cell: the variant's edits, the prompt's number, the value."""
        import pandas as pd  # noqa: PLC0415  a second to import, used here only

        names = [" + ".join(map(str, variant)) for variant in self.variants]
        wide = pd.DataFrame(self.values, index=pd.Index(names, name="variant"))
        return wide.melt(ignore_index=False, var_name="prompt").reset_index()


def sweep(
    model: Model,
    prompts: PromptSet | Sequence[str],
    variants: Sequence[tuple[Edit, ...]],
    *,
    read: Metric,
) -> Grid:
    """Run every variant over the prompts and read one number a prompt.

    Args:
        model: a loaded model.
        prompts: a prompt set or a list of texts.
        variants: each a tuple of edits; the empty tuple is the unedited run.
        read: from a run to one number a prompt, e.g. `lambda run: run.correct`.

    Raises:
        RequestError: no variants, or an edit that cannot be applied as written.
    """
    if not variants:
        raise RequestError("a sweep needs a variant", asked="sweep(...)")
    wanted = as_prompt_set(prompts)
    rows = [read(run(model, wanted, *variant)) for variant in variants]
    return Grid(tuple(variants), np.stack(rows))
