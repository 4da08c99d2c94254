"""What to change in a forward pass, as frozen values: steer, patch, ablate, and so on.

An edit says site, positions, rows, phase and dose; it does nothing by itself. `interp.runs`
applies it exactly as written or raises.
"""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from interp.errors import NonFiniteError, RequestError
from interp.positions import Position, position
from interp.sites import PER_HEAD, Site

Verb = Literal["steer", "patch", "ablate", "project_out", "block_attention"]
Phase = Literal["all", "prompt", "generated"]
Unit = Literal["raw", "median_norm"]
Ablation = Literal["zero", "mean", "resample"]
EVERYWHERE = Position("all")
READ_ONLY = frozenset({"pattern", "head_out", "logits"})


@runtime_checkable
class Directed(Protocol):
    """Anything that carries a vector found at a site of one model, such as `interp.Direction`."""

    @property
    def vector(self) -> Float[np.ndarray, " d_model"]:
        """The vector, at the norm it was found with."""
        ...

    @property
    def fingerprint(self) -> str:
        """The model the vector belongs to; empty where it belongs to any."""
        ...


@dataclass(frozen=True, eq=False)
class Edit:
    """One change at one site.

    `vector` is one value for all rows ([d_model], or [head, d_head] at `z`), one a row
    ([batch, ...]) or one a position ([batch, pos, ...]); nothing is broadcast beyond that.
    `alpha` is one dose or one a row, raw or in units of the site's median norm.
    """

    verb: Verb
    site: Site
    vector: Float[np.ndarray, "..."]
    alpha: float | Float[np.ndarray, " batch"] = 1.0
    at: Position = EVERYWHERE
    rows: tuple[int, ...] | None = None
    phase: Phase = "all"
    heads: tuple[int, ...] | None = None
    unit: Unit = "raw"
    fingerprint: str = ""
    to: Position | None = None

    def __post_init__(self) -> None:
        """Refuse what no run could apply as written.

        Raises:
            RequestError: a read-only site, heads where there are none, a phase that the position
                never sees.
            NonFiniteError: the vector or alpha is not finite.
        """
        if self.site.name in READ_ONLY and self.verb != "block_attention":
            raise RequestError(
                "this site can be read, not written", asked=str(self), hint="z or attn_out"
            )
        if self.heads is not None and self.site.name not in PER_HEAD:
            raise RequestError("this site has no heads", asked=str(self), hint="z(layer)")
        if self.at.kind == "thought" and self.phase != "all":
            raise RequestError(
                "an edit at thoughts is in force at thoughts, in no other phase",
                asked=str(self),
                hint="two edits: one at thoughts, one at tokens",
            )
        if self.phase == "generated" and not self.at.reaches_generated:
            raise RequestError(
                "a named position lies in the prompt, never in generated tokens",
                asked=str(self),
                hint='at="all" with phase="generated"',
            )
        finite = self.verb == "patch" or np.isfinite(self.vector).all()
        if not (finite and np.isfinite(self.alpha).all()):
            raise NonFiniteError("a vector or alpha must be finite", asked=str(self))

    def __str__(self) -> str:
        """As a spec writes it, without the numbers of the vector."""
        if self.to is not None:
            return f"block_attention({self.site.layer}, at={self.at}, to={self.to}{self._phase})"
        dose = "" if self.verb in ("patch", "ablate") else f", alpha={self.alpha}"
        return f"{self.verb}({self.site}{dose}, at={self.at}{self._phase})"

    @property
    def _phase(self) -> str:
        return "" if self.phase == "all" else f', phase="{self.phase}"'

    def on_rows(self, *rows: int) -> "Edit":
        """The same edit for these rows of the batch only."""
        return replace(self, rows=rows)

    def on_heads(self, *heads: int) -> "Edit":
        """The same edit for these heads only; the vector then has one entry a named head."""
        return replace(self, heads=heads)

    def during(self, phase: Phase) -> "Edit":
        """The same edit while the prompt is read, while tokens are generated, or both."""
        return replace(self, phase=phase)


def steer(
    site: Site,
    vector: Float[np.ndarray, "..."] | Directed,
    *,
    alpha: float | Float[np.ndarray, " batch"] = 1.0,
    at: str | Position = "all",
    unit: Unit = "raw",
) -> Edit:
    """Add alpha times a vector: h <- h + alpha v.

    Args:
        site: where to add.
        vector: a Direction (used at the norm it was found with) or an array.
        alpha: the dose; a row with alpha 0 is left exactly as it was.
        at: which positions.
        unit: "raw", or "median_norm": alpha 1 then adds a vector as long as the site's values
            are in the median over the edited positions of the unedited run.

    Source:  Turner et al. 2023, arXiv:2308.10248.
    """
    array, fingerprint = _unpack(vector)
    return Edit("steer", site, array, alpha, position(at), unit=unit, fingerprint=fingerprint)


def patch(site: Site, value: Float[np.ndarray, "..."], *, at: str | Position) -> Edit:
    """Replace the value at a site by another run's: h <- v.

    `value` has a row per prompt, as `donor[site, "e1"]` gives it; the phase is the prompt, or the
    thoughts where it is at thoughts.
    """
    place = position(at)
    phase: Phase = "all" if place.kind == "thought" else "prompt"
    return Edit("patch", site, np.asarray(value), 1.0, place, phase=phase)


def ablate(
    site: Site,
    *,
    how: Ablation = "zero",
    reference: Float[np.ndarray, "n *feature"],  # noqa: F821  a shape
    at: str | Position = "all",
) -> Edit:
    """Replace the value at a site by nothing: zero, the mean of `reference`, or another row of it.

    Args:
        site: where.
        how: "zero"; "mean" of the reference rows; "resample": row i gets reference row i + 1.
        reference: values captured at that site, one a row; for "zero" it gives the shape only.
        at: which positions.

    Raises:
        RequestError: no reference rows, or one row to resample from.
    """
    values = np.asarray(reference, dtype=np.float32)
    if len(values) < (2 if how == "resample" else 1):
        raise RequestError("too few reference rows", asked=f"ablate({site}, how={how!r})")
    value = np.zeros_like(values[0])
    if how == "mean":
        value = values.mean(axis=0, dtype=np.float64).astype(np.float32)
    if how == "resample":
        value = np.roll(values, -1, axis=0)
    return Edit("ablate", site, value, 1.0, position(at))


def project_out(
    site: Site,
    direction: Float[np.ndarray, "..."] | Directed,
    *,
    alpha: float | Float[np.ndarray, " batch"] = 1.0,
    at: str | Position = "all",
) -> Edit:
    """Remove a direction: h <- h - alpha (h . u) u, with u the unit vector along `direction`.

    Source:  directional ablation of Arditi et al. 2024, arXiv:2406.11717.

    Raises:
        RequestError: the direction has length zero.
    """
    array, fingerprint = _unpack(direction)
    if not np.linalg.norm(array, axis=-1).all():
        raise RequestError(
            "a direction of length zero points nowhere", asked=f"project_out({site})"
        )
    return Edit("project_out", site, array, alpha, position(at), fingerprint=fingerprint)


def block_attention(layer: int, *, to: str | Position, at: str | Position = "all") -> Edit:
    """Let some positions not attend to others in one block: softmax over what is left.

    Only edges to earlier positions are blocked. A position always sees itself, so that something
    is left to attend to; with everything blocked its attention is its own value.

    Args:
        layer: the block; a window of blocks is one edit each.
        to: what is not seen any more; "all" means every token, and no thought.
        at: for whom. Tokens of the answer that follows thoughts are `at="all"` during "generated".

    Source:  attention knockout of Geva et al. 2023, arXiv:2304.14767.
    Differs: a blocked edge is left out of the softmax; there is no large negative number. The
             ledger's norms are those of the heads' outputs at the positions that see less.
    Pinned:  specs/contracts/test_blocked_attention.py

    Raises:
        RequestError: no such layer; nowhere in the batch is there such an edge; an engine or an
            attention whose pattern cannot be reached.
    """
    nothing = np.zeros(0, dtype=np.float32)
    edit = Edit("block_attention", Site("pattern", layer), nothing, 1.0, position(at))
    return replace(edit, to=position(to))


def _unpack(vector: Float[np.ndarray, "..."] | Directed) -> tuple[np.ndarray, str]:
    if isinstance(vector, Directed):
        return np.asarray(vector.vector, dtype=np.float32), vector.fingerprint
    return np.asarray(vector, dtype=np.float32), ""
