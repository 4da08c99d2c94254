"""How a sweep is computed on a model: by sharing, where it was seen to give the plain numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from interp.backends.batching import for_rows
from interp.backends.protocol import Backend, Write
from interp.backends.sharing import Shares, Sharing
from interp.errors import DataError, InterpError
from interp.metrics import relative_error
from interp.models import Model, rounding
from interp.planned import States, Tally, states
from interp.planning import Cells, cells
from interp.sites import PER_HEAD, Site, SiteName

PROBED = (11, 9)  # prompts of two lengths
PLACE = 4  # the position that the probe edits, so that a row has others before and after
_SEEN: WeakKeyDictionary[Backend, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class Rung:
    """How a sweep was computed: "cone" shares prompts and recomputes cones, "plain" runs hooks."""

    name: str
    why: str = ""

    def __str__(self) -> str:
        """The name, with the reason if it was not the best."""
        return f"{self.name}: {self.why}" if self.why else self.name


def reachable(model: Model) -> tuple[Sharing | None, str]:
    """What the backend offers for sharing, or why it cannot be used on this model.

    At the first use one cell of each kind is computed both ways; afterwards it is remembered.
    """
    backend = model.backend
    if not isinstance(backend, Shares):
        return None, f"{type(backend).__name__} shares nothing"
    if backend not in _SEEN:
        _SEEN[backend] = backend.sharing.refused or _probed(model, backend.sharing)
    return (None if _SEEN[backend] else backend.sharing), _SEEN[backend]


def audit(
    model: Model, grid: Cells, ids: Sequence[Sequence[int]], sample: Sequence[States]
) -> float:
    """How far sampled cells are from what plain hooks give, relative to the largest logit.

    Raises:
        DataError: further than this dtype's rounding explains.
    """
    worst = 0.0
    for one in sample:
        planned = model.backend.unembed(one.hidden)
        plain = plainly(model, grid, ids, one)
        apart = relative_error(planned, plain)
        if apart > rounding(model):
            raise DataError(
                "a planned cell differs from the same cell run by plain hooks",
                expected=f"at most {rounding(model):.1e} apart",
                received=f"{apart:.1e}",
                where=f"variant {one.variant[0] + 1}, prompt {one.prompt[0] + 1}",
                hint="report it: the planner or a hook is wrong on this model",
            )
        worst = max(worst, apart)
    return worst


def plainly(
    model: Model, grid: Cells, ids: Sequence[Sequence[int]], cell: States
) -> Float[np.ndarray, "n d_vocab"]:
    """The logits of cells run together through the plain hooks, each row with its own edits."""
    rows = [ids[prompt] for prompt in cell.prompt]
    longest = max(map(len, rows))
    writes = [
        _alone(write, row, int(prompt), len(rows), longest)
        for row, (variant, prompt) in enumerate(zip(cell.variant, cell.prompt, strict=True))
        for _, write in sorted(grid.writes[variant], key=lambda item: item[0])
    ]
    return model.backend.forward(rows, writes).logits


def _alone(write: Write, row: int, prompt: int, batch: int, longest: int) -> Write:
    """A write of one prompt as the write of one row of another batch."""
    own = for_rows(write, [prompt], longest)
    mask = np.zeros((batch, longest), dtype=bool)
    mask[row] = own.mask[0]
    extra = own.value.ndim - (2 if own.site.name in PER_HEAD else 1)
    value = own.value if extra == 0 else own.value[0]
    if extra == 2:  # noqa: PLR2004  one value a position
        value = np.broadcast_to(value, (batch, *value.shape))
    never = np.zeros(batch, dtype=bool)
    return Write(own.site, own.op, value, np.repeat(own.alpha, batch), mask, never, own.heads)


def _probed(model: Model, sharing: Sharing) -> str:
    """Why this model cannot be trusted to share, seen on cells of each kind; empty if it can."""
    tokens = np.arange(max(PROBED)) * 7 % model.backend.info.d_vocab
    ids = [tuple(int(token) for token in tokens[:length]) for length in PROBED]
    writes = [[write] for write in _probes(model, ids)]
    grid = cells(PROBED, writes, model.n_layers)
    try:
        for one in states(sharing, grid, ids, Tally()):
            audit(model, grid, ids, [one] if len(one.variant) else [])
    except (InterpError, RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        return str(error.complaint.rule if isinstance(error, InterpError) else error)[:200]
    return ""


def _probes(model: Model, ids: Sequence[Sequence[int]]) -> list[Write]:
    """At each kind of site, in the middle of the model, the other prompt's value at one position."""
    middle, info = model.n_layers // 2, model.backend.info
    names: tuple[SiteName, ...] = ("resid_pre", "resid_post", "z", "attn_out", "mlp_out")
    sites = [Site(name, middle) for name in names if name not in info.refused]
    values = model.backend.forward(ids, capture=sites, logits="none").captured
    mask = np.zeros((len(ids), max(map(len, ids))), dtype=bool)
    mask[:, PLACE] = True
    dose, never = np.ones(len(ids), np.float32), np.zeros(len(ids), dtype=bool)
    given = {site: values[site][::-1, PLACE] for site in sites}
    return [Write(site, "replace", given[site], dose, mask, never) for site in sites]
