"""How a sweep is computed on a model: by sharing, where it was seen to give the plain numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from interp.auditing import audit
from interp.backends.protocol import Backend, Write
from interp.backends.sharing import Shares, Sharing
from interp.errors import InterpError
from interp.models import Model
from interp.planned import Job, Room, states
from interp.planning import cells
from interp.sites import Site, SiteName

PROBED = (11, 9)  # prompts of two lengths
NOTHING = "nothing is shared"  # by the cells of this grid, on any model
PLACE = 4  # the position that the probe edits, so that a row has others before and after
_SEEN: WeakKeyDictionary[Backend, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class Rung:
    """How a sweep was computed: "cone" shares prompts and recomputes cones, "plain" runs hooks.

    Cells of a cone are audited by plain hooks. Plain ones are not: they went through those hooks.
    """

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


def _probed(model: Model, sharing: Sharing) -> str:
    """Why this model cannot be trusted to share, seen on cells of each kind; empty if it can."""
    tokens = np.arange(max(PROBED)) * 7 % model.backend.info.d_vocab
    ids = [tuple(int(token) for token in tokens[:length]) for length in PROBED]
    writes = [[write] for write in _probes(model, ids)]
    grid = cells(PROBED, writes, model.n_layers)
    try:
        job = Job(grid, ids, room=Room(sharing, grid, sharing.memory))
        audit(model, grid, ids, list(states(job)))
    except InterpError as error:
        said = error.complaint
        return f"{said.rule} ({said.received})" if said.received else said.rule
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError) as error:
        return f"its layers do not run row by row ({type(error).__name__}: {error})"[:200]
    return ""


def _probes(model: Model, ids: Sequence[Sequence[int]]) -> list[Write]:
    """The other prompt's value at one position of each kind of site, in the middle of the model."""
    middle, info = model.n_layers // 2, model.backend.info
    names: tuple[SiteName, ...] = ("resid_pre", "resid_post", "z", "attn_out", "mlp_out")
    sites = [Site(name, middle) for name in names if name not in info.refused]
    values = model.backend.forward(ids, capture=sites, logits="none").captured
    mask = np.zeros((len(ids), max(map(len, ids))), dtype=bool)
    mask[:, PLACE] = True
    dose, never = np.ones(len(ids), np.float32), np.zeros(len(ids), dtype=bool)
    given = {site: values[site][::-1, PLACE] for site in sites}
    return [Write(site, "replace", given[site], dose, mask, never) for site in sites]
