"""The load-time check: every claim about a site is verified by number before anyone relies on it.

Three rows of arbitrary tokens go through the model. What fails at the logits or the residual
stream refuses the model; what fails at another site refuses that site and says why. Nothing is
approximated. Every claim has its bite: a site must move the logits where it is edited, and only
there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp.backends.protocol import Backend, Forward, Op, Write
from interp.errors import DataError, InterpError
from interp.sites import WITHOUT_LAYER, Site, SiteName

TOLERANCE = {"float32": 2e-4, "float16": 3e-3, "bfloat16": 2e-2}
LENGTHS = (11, 11, 9)  # two rows alike, for interchange; a shorter one, for padding
EDITED = 5  # the position that edits are tried at: neither first nor last
HALF = 0.51  # an attention weight lies between 0 and 1, rounding aside
ALIKE = 0.01  # values closer than this share of their size have no weights to solve for
APART = 0.01  # weights that differ by less do not tell two heads apart
CORE: tuple[SiteName, ...] = ("embed", "resid_pre", "resid_post", "final_norm")
OTHER: tuple[SiteName, ...] = (
    "attn_out", "mlp_out", "resid_mid", "z", "q", "k", "v", "pattern",
)  # fmt: skip
STREAM: tuple[SiteName, ...] = ("resid_pre", "resid_mid", "resid_post")
EDITABLE = frozenset({*CORE, "attn_out", "mlp_out", "resid_mid", "z", "q", "k", "v"})
Refused = dict[SiteName, str]
Check = Callable[["Probe"], Iterator[tuple[tuple[SiteName, ...], str]]]


@dataclass(frozen=True)
class Probe:
    """The model under test, the rows, and what it does with them when nothing is edited."""

    backend: Backend
    ids: tuple[tuple[int, ...], ...]
    sites: tuple[SiteName, ...]

    @property
    def tolerance(self) -> float:
        """The relative error that this dtype's rounding explains."""
        return TOLERANCE[self.backend.info.dtype]

    @cached_property
    def plain(self) -> Forward:
        """The unedited run, with every site captured."""
        capture = [site for name in self.sites for site in self.at_every_layer(name)]
        return self.backend.forward(self.ids, capture=capture, logits="all")

    def at_every_layer(self, name: SiteName) -> tuple[Site, ...]:
        """A site of that name in each layer."""
        if name in WITHOUT_LAYER:
            return (Site(name),)
        return tuple(Site(name, layer) for layer in range(self.backend.info.n_layers))

    def value(self, name: SiteName, layer: int) -> Float[np.ndarray, "batch pos ..."]:
        """What the unedited run had at a site."""
        return self.plain.captured[Site(name, layer)]

    def edited(self, site: Site, op: Op, value: np.ndarray, alpha: Sequence[float]) -> Forward:
        """A run with one write at the edited position, or everywhere for a whole value."""
        mask = np.zeros((len(self.ids), max(LENGTHS)), dtype=bool)
        mask[:, EDITED] = True
        if op == "replace":
            mask[:] = np.arange(max(LENGTHS))[None] < np.array(LENGTHS)[:, None]
        never = np.zeros(len(self.ids), dtype=bool)
        write = Write(site, op, value, np.array(alpha, np.float32), mask, never)
        before = [Site("resid_pre", site.layer)] if site.layer else []
        return self.backend.forward(self.ids, [write], capture=before, logits="all")


def self_check(backend: Backend) -> Refused:
    """The sites that this model must not be asked for, each with the reason.

    Raises:
        DataError: the logits or the residual stream are not what they are taken for.
    """
    rng = np.random.default_rng(0)
    vocab = min(500, backend.info.d_vocab)
    ids = tuple(tuple(int(i) for i in rng.integers(3, vocab, length)) for length in LENGTHS)
    refused: Refused = {}
    for name in (*CORE, *OTHER):
        _note(refused, [name], _uncapturable(Probe(backend, ids, (name,))))
    probe = Probe(backend, ids, tuple(name for name in (*CORE, *OTHER) if name not in refused))
    for check in (_chain, _readout, _additive, _heads, _interchange, _bites, _partition, _clean):
        for names, reason in check(probe):
            _note(refused, names, reason)
    return refused


def _note(refused: Refused, names: Sequence[SiteName], reason: str) -> None:
    if not reason:
        return
    if core := [name for name in names if name in CORE]:
        raise DataError(
            "the model is not what it is taken for",
            expected="logits and residual stream that pass the self-check",
            received=f"{', '.join(core)}: {reason}",
            hint="report the model family; a compiled or wrapped model cannot be checked",
        )
    for name in names:
        refused.setdefault(name, reason)


def _uncapturable(probe: Probe) -> str:
    try:
        captured = probe.plain.captured
    except InterpError as error:
        return f"{error.complaint.rule}: {error.complaint.received}"
    except (AttributeError, TypeError, RuntimeError, ValueError) as error:
        return str(error).splitlines()[0]
    return "" if captured else "nothing was captured"


def _chain(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """What leaves a block enters the next one, and the engine's own report agrees."""
    n_layers = probe.backend.info.n_layers
    for layer in range(n_layers - 1):
        error = _apart(probe.value("resid_post", layer), probe.value("resid_pre", layer + 1))
        yield ("resid_post",), _beyond(error, probe, f"resid_pre({layer + 1})")
    entered = _apart(probe.plain.captured[Site("embed")], probe.value("resid_pre", 0))
    yield ("embed",), _beyond(entered, probe, "resid_pre(0)")
    yield from _agreement(probe)


def _agreement(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """The engine's own logits and hidden states, row by row, are what we read."""
    reference = probe.backend.reference
    for row, ids in enumerate(probe.ids):
        error = _apart(probe.plain.logits[row, : len(ids)], reference.logits(ids))
        yield ("resid_post",), _beyond(error, probe, "the engine's own logits")
        states = reference.hidden_states(ids)
        names = [Site("resid_pre", layer) for layer in range(len(states) - 1)]
        for site, state in zip([*names, Site("final_norm")], states, strict=False):
            error = _apart(probe.plain.captured[site][row, : len(ids)], state)
            yield (site.name,), _beyond(error, probe, f"the engine's own {site}")


def _readout(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """The last residual stream, unembedded, is the model's own logits."""
    real = _real()
    last = probe.value("resid_post", probe.backend.info.n_layers - 1)[real]
    error = _apart(probe.backend.unembed(last), probe.plain.logits[real])
    yield ("resid_post",), _beyond(error, probe, "the logits, when unembedded")


def _additive(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """Attention and MLP add to the residual stream what their sites say."""
    if not {"attn_out", "mlp_out"} <= set(probe.sites):
        return
    for layer in range(probe.backend.info.n_layers):
        total = sum(probe.value(name, layer) for name in ("resid_pre", "attn_out", "mlp_out"))
        error = _apart(np.asarray(total), probe.value("resid_post", layer))
        reason = _beyond(error, probe, f"resid_post({layer}) as a sum")
        yield ("attn_out", "mlp_out", "resid_mid"), reason


def _heads(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """The heads' contributions sum to what attention adds, but for one constant: its bias."""
    if not {"z", "attn_out"} <= set(probe.sites):
        yield ("head_out",), "it is made of z and checked against attn_out, which are refused"
        return
    for layer in range(probe.backend.info.n_layers):
        weights = probe.backend.head_weights(layer)
        summed = np.einsum("bphe,hed->bpd", probe.value("z", layer), weights)
        added = probe.value("attn_out", layer)
        error = _apart(summed + (added - summed)[0, 0], added)
        yield ("head_out",), _beyond(error, probe, f"attn_out({layer}) when summed over heads")


def _interchange(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """The whole stream of row 1 given to row 0 makes row 1's logits; its own changes nothing."""
    for name in STREAM:
        for site in probe.at_every_layer(name) if name in probe.sites else ():
            own = np.nan_to_num(probe.plain.captured[site])
            other = own.copy()
            other[0] = own[1]
            ones = [1.0] * len(own)
            back = probe.edited(site, "replace", own, ones).logits
            swapped = probe.edited(site, "replace", other, ones).logits
            yield (name,), _beyond(_apart(back, probe.plain.logits), probe, f"{site} put back")
            error = _apart(swapped[0], probe.plain.logits[1])
            yield (name,), _beyond(error, probe, f"row 1 after interchange at {site}")


def _bites(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """An edit moves the logits of the rows and positions it names, and nothing before them."""
    rng = np.random.default_rng(1)
    for name in sorted(EDITABLE & set(probe.sites)):
        for site in probe.at_every_layer(name):
            shape = probe.plain.captured[site].shape[2:]
            size = 3 * float(np.nanstd(probe.plain.captured[site]))
            value = (size * rng.normal(size=(len(LENGTHS), *shape))).astype(np.float32)
            yield (name,), _bite(probe, site, value)


def _bite(probe: Probe, site: Site, value: Float[np.ndarray, "batch ..."]) -> str:
    run = probe.edited(site, "add", value, [1.0, 0.0, 1.0])
    moved = np.abs(run.logits - probe.plain.logits).max(axis=-1) / np.nanmax(
        np.abs(probe.plain.logits)
    )
    if np.nanmin(moved[[0, 2], EDITED:][:, :1]) < probe.tolerance / 10:
        return f"an edit at {site} does not reach the logits of its own position"
    if max(np.nanmax(moved[1]), np.nanmax(moved[:, :EDITED])) > probe.tolerance:
        return f"an edit at {site} reaches a row or a position that it does not name"
    for before, kept in run.captured.items():
        if (
            site.name != "resid_pre"
            and _apart(kept, probe.plain.captured[before]) > probe.tolerance
        ):
            return f"an edit at {site} reaches {before}"
    return ""


def _partition(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """Heads are heads: the second token's z mixes two values with one weight a head."""
    if "z" not in probe.sites:
        return
    reasons = [_mixture(probe, probe.ids[0][i], probe.ids[0][i + 1]) for i in range(0, 10, 2)]
    if told := [reason for reason in reasons if reason is not None]:
        yield ("z", "head_out"), max(told, key=len)
    else:
        yield ("z", "head_out"), "no pair of tokens tells its heads apart"


def _mixture(probe: Probe, a: int, b: int) -> str | None:
    """What is wrong with the mixture that [a, b] makes; None if this pair cannot tell."""
    site, entered = Site("z", 0), Site("resid_pre", 0)
    runs = [
        probe.backend.forward([row], capture=[site, entered], logits="none").captured
        for row in ((a,), (b,), (a, b))
    ]
    heads, seen = probe.backend.info.n_heads, runs[0][site].shape[2]
    if seen != heads:
        return f"{seen} heads, not {heads}"
    if _apart(runs[2][entered][0, 1], runs[1][entered][0, 0]) > 10 * probe.tolerance:
        return ""  # learned positions: b alone is not b in second place; only the count is checked
    value_a, value_b, mixed = (run[site][0, -1].astype(np.float64) for run in runs)
    apart = value_a - value_b
    if np.abs(apart).max(axis=-1).min() < ALIKE * np.abs(value_b).max():
        return None  # tokens that training never saw can share one embedding
    weight = ((mixed - value_b) * apart).sum(-1) / (apart * apart).sum(-1)
    off = np.abs(mixed - value_b - weight[:, None] * apart).max() / np.abs(apart).max()
    if off > 5 * probe.tolerance or np.abs(weight - 0.5).max() > HALF:
        return f"its heads are not the attention's (off by {off:.1e})"
    return None if np.ptp(weight) < APART else ""


def _clean(probe: Probe) -> Iterator[tuple[tuple[SiteName, ...], str]]:
    """Nothing stays behind: a run after all of this equals the first, bit for bit."""
    again = probe.backend.forward(probe.ids, logits="all").logits
    same = np.array_equal(again, probe.plain.logits, equal_nan=True)
    yield ("resid_post",), "" if same else "a plain run differs after edits: something stayed"


def _real() -> np.ndarray:
    return np.arange(max(LENGTHS))[None] < np.array(LENGTHS)[:, None]


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference relative to the largest value, padding aside."""
    scale = max(float(np.nanmax(np.abs(b))), 1e-9)
    return float(np.nanmax(np.abs(np.asarray(a, np.float64) - b))) / scale


def _beyond(error: float, probe: Probe, what: str) -> str:
    return f"differs from {what} by {error:.1e}" if error > probe.tolerance else ""
