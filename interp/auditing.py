"""Cells of a plan once more through plain hooks: what is shared must not have changed a number."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from interp.backends.batching import for_rows
from interp.backends.protocol import Write
from interp.edits import Edit
from interp.errors import DataError
from interp.groves import Continued
from interp.metrics import relative_error
from interp.models import Model, rounding
from interp.planned import States
from interp.planning import Cells
from interp.prompts import PromptSet
from interp.resolve import write
from interp.sites import PER_HEAD

ONE_IN = 1000  # cells of a grid that are audited; three at least
AT_ONCE = 8  # of which so many are run together


def sample(shape: tuple[int, ...]) -> Bool[np.ndarray, "variant batch"]:
    """Which cells of a grid are audited: drawn with a seed of the grid's own."""
    count = int(np.prod(shape))
    chosen = np.random.default_rng(shape).permutation(count)[: max(3, count // ONE_IN)]
    return np.isin(np.arange(count), chosen).reshape(shape)


def audit(
    model: Model, grid: Cells, ids: Sequence[Sequence[int]], parts: Sequence[States]
) -> float:
    """How far cells are from what plain hooks give, relative to the largest logit.

    Raises:
        DataError: further than this dtype's rounding explains.
    """
    variant, prompt = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("variant", "prompt")
    )
    cells = States(variant, prompt, np.concatenate([part.hidden for part in parts]))
    worst = 0.0
    for start in range(0, len(variant), AT_ONCE):
        some = cells.only(np.arange(len(variant)) // AT_ONCE == start // AT_ONCE)
        plain = _plainly(model, grid, ids, some)
        worst = max(worst, relative_error(model.backend.unembed(some.hidden), plain))
    _refuse(model, worst, rounding(model))
    return worst


def audit_decoded(
    model: Model, grid: Cells, ids: Sequence[Sequence[int]], cells: Continued
) -> float:
    """How far each new token is from the likeliest one of a plain pass over all before it.

    Relative to the largest logit; the pass has every edit where it says, and no cache.

    Raises:
        DataError: further than this dtype's rounding explains.
    """
    worst = 0.0
    for variant, prompt, new in zip(cells.variant, cells.prompt, cells.new_ids, strict=True):
        writes = grid.told(int(variant))
        worst = max(worst, _shortfall(model, ids[prompt], new, writes, int(prompt)))
    _refuse(model, worst, 2 * rounding(model))
    return worst


def shortfall(
    model: Model, prompts: PromptSet, edits: Sequence[Edit], new_ids: Sequence[Sequence[int]]
) -> Float[np.ndarray, " batch"]:
    """How far new tokens fall short of the likeliest ones of a plain pass over all before them.

    The worst token of each row, relative to its largest logit: 0 where each is the likeliest, and
    no more than rounding explains where two were as good as equal. The pass has no cache.
    """
    encoded = model.encode(prompts)
    writes = [write(model, encoded, edit) for edit in edits]
    rows = enumerate(zip(encoded.ids, new_ids, strict=True))
    return np.array([_shortfall(model, ids, new, writes, row) for row, (ids, new) in rows])


def _shortfall(
    model: Model, ids: Sequence[int], new: Sequence[int], writes: Sequence[Write], row: int
) -> float:
    read, fed = len(ids), [*ids, *new[:-1]]
    grown = [_grown(one, row, read, fed) for one in writes]
    logits = model.backend.forward([fed], grown, logits="all").logits[0, read - 1 :]
    short = logits.max(axis=-1) - logits[np.arange(len(new)), list(new)]
    return float(short.max() / np.abs(logits).max())


def _refuse(model: Model, apart: float, allowed: float) -> None:
    if not apart <= allowed:
        raise DataError(
            "a planned cell differs from the same cell run by plain hooks",
            expected=f"at most {allowed:.1e} apart",
            received=f"{apart:.1e}",
            where=model.id,
            hint="report it: the planner or a hook is wrong on this model",
        )


def _plainly(
    model: Model, grid: Cells, ids: Sequence[Sequence[int]], cells: States
) -> Float[np.ndarray, "n d_vocab"]:
    """The logits of cells run together through the plain hooks, each row with its own edits."""
    rows = [ids[prompt] for prompt in cells.prompt]
    batch = len(rows), max(map(len, rows))
    writes = [
        _on_row(write, row, int(prompt), batch)
        for row, (variant, prompt) in enumerate(zip(cells.variant, cells.prompt, strict=True))
        for write in grid.told(int(variant))
    ]
    return model.backend.forward(rows, writes).logits


def _on_row(write: Write, row: int, prompt: int, batch: tuple[int, int]) -> Write:
    """A write of one prompt as the write of one row of another batch."""
    own = for_rows(write, [prompt], batch[1])
    mask = np.zeros(batch, dtype=bool)
    mask[row] = own.mask[0]
    extra = own.value.ndim - (2 if own.site.name in PER_HEAD else 1)
    value = own.value if extra == 0 else own.value[0]
    if extra == 2:  # noqa: PLR2004  one value a position
        value = np.broadcast_to(value, (batch[0], *value.shape))
    alpha, never = np.repeat(own.alpha, batch[0]), np.zeros(batch[0], dtype=bool)
    return replace(own, value=value, alpha=alpha, mask=mask, generated=never)


def _grown(write: Write, prompt: int, length: int, fed: Sequence[int]) -> Write:
    """A write of one prompt, with the tokens after it under its mask or not."""
    own, more = for_rows(write, [prompt], length), len(fed) - length
    decoded = np.full((1, more), fill_value=bool(own.generated[0]))
    value = own.value
    if value.ndim - (2 if own.site.name in PER_HEAD else 1) == 2:  # noqa: PLR2004  one a position
        value = np.pad(value, [(0, 0), (0, more), *[(0, 0)] * (value.ndim - 2)])
    return replace(own, mask=np.concatenate([own.mask, decoded], axis=1), value=value)
