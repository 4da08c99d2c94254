"""What happens at a site during one call, the same for every engine: edit, account, capture.

An engine hands each site's value to `Taps.at` and puts back what it gets; the arithmetic is done
in float32 and cast back once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.backends import arithmetic
from interp.backends.protocol import Fired, Write
from interp.errors import NonFiniteError, RequestError
from interp.sites import Site

Array = Any  # an engine's own array type


class Engine(Protocol):
    """The four conversions that taps need of an engine."""

    def constant(self, value: Float[np.ndarray, "..."]) -> Array:
        """A numpy float32 array on the model's device."""
        ...

    def float32(self, value: Array) -> Array:
        """The value in float32."""
        ...

    def cast_like(self, value: Array, reference: Array) -> Array:
        """The value in the reference's dtype, rounded once."""
        ...

    def numpy(self, value: Array) -> Float[np.ndarray, "..."]:
        """The value as numpy float32."""
        ...


@dataclass
class _Account:
    """On which rows one write fired, and the norms of what it did."""

    rows: list[Int[np.ndarray, " fired"]]
    deltas: list[Float[np.ndarray, " fired"]]
    norms: list[Float[np.ndarray, " fired"]]

    def summary(self, among: Bool[np.ndarray, " batch"] | None = None) -> Fired:
        """What it did, on those of the rows that are asked for."""
        if not self.deltas:
            return Fired(0, 0.0, 0.0)
        deltas, norms = np.concatenate(self.deltas), np.concatenate(self.norms)
        if among is not None:
            asked = among[np.concatenate(self.rows)]
            deltas, norms = deltas[asked], norms[asked]
        if not len(deltas):
            return Fired(0, 0.0, 0.0)
        return Fired(len(deltas), float(np.median(deltas)), float(np.median(norms)))


class Taps:
    """The edits and captures of one call; `move_to` says which tokens the next pass holds."""

    def __init__(self, writes: Sequence[Write], capture: Sequence[Site], engine: Engine) -> None:
        """Remember what is wanted; nothing is installed yet."""
        self._captured: dict[Site, Float[np.ndarray, "batch pos ..."]] = {}
        self._writes = tuple(writes)
        self._capture = frozenset(capture)
        self._engine = engine
        self._accounts = tuple(_Account([], [], []) for _ in writes)
        self._masks: tuple[Bool[np.ndarray, "batch pos"], ...] = ()
        self._real = np.zeros((0, 0), dtype=bool)

    @property
    def sites(self) -> tuple[Site, ...]:
        """Every site that this call touches, each once."""
        return tuple(dict.fromkeys([*(write.site for write in self._writes), *self._capture]))

    def move_to(
        self, masks: Sequence[Bool[np.ndarray, "batch pos"]], real: Bool[np.ndarray, "batch pos"]
    ) -> None:
        """Say where each write fires in the next pass, and which positions are not padding."""
        self._masks, self._real = tuple(masks), real

    def at(self, site: Site, value: Array) -> Array:
        """The site's value after the edits; captured if asked for.

        Raises:
            NonFiniteError: an edited or captured value is NaN or infinite.
        """
        for number, write in enumerate(self._writes):
            if write.site == site and self._masks[number].any():
                value = self._written(number, value)
        if site in self._capture:
            array = finite(self._engine.numpy(value), str(site), self._real)
            self._captured[site] = blank(array, self._real)
        return value

    def all_captured(self) -> dict[Site, Float[np.ndarray, "batch pos ..."]]:
        """Every site that was to be captured.

        Raises:
            RequestError: the pass never reached one of them.
        """
        missed = self._capture - set(self._captured)
        if missed:
            raise RequestError(
                "a site was never reached",
                received=", ".join(sorted(map(str, missed))),
                hint="a compiled model hides its modules: load it uncompiled",
            )
        return self._captured

    def fired(self, among: Bool[np.ndarray, " batch"] | None = None) -> tuple[Fired, ...]:
        """What each write did in this call, on all rows or on some of them."""
        return tuple(account.summary(among) for account in self._accounts)

    def _written(self, number: int, value: Array) -> Array:
        write, mask = self._writes[number], self._masks[number]
        edited = arithmetic.apply(
            self._engine.float32(value), write, mask.astype(np.float32), self._engine.constant
        )
        new = self._engine.cast_like(edited, value)
        before, after = self._engine.numpy(value)[mask], self._engine.numpy(new)[mask]
        finite(after[:, None], f"{write.site} after an edit", np.ones((len(after), 1), bool))
        if write.heads is not None:
            before, after = before[:, list(write.heads)], after[:, list(write.heads)]
        self._accounts[number].rows.append(np.nonzero(mask)[0])
        self._accounts[number].deltas.append(_norms(after - before))
        self._accounts[number].norms.append(_norms(before))
        return new


def finite(
    value: Float[np.ndarray, "batch pos ..."], name: str, real: Bool[np.ndarray, "..."]
) -> Float[np.ndarray, "batch pos ..."]:
    """The value itself, if it is finite wherever there is a token.

    Raises:
        NonFiniteError: naming the site, the first bad row and position.
    """
    bad = real & ~np.isfinite(value).reshape(*real.shape, -1).all(axis=-1)
    if bad.any():
        row, *where = (int(index) for index in np.argwhere(bad)[0])
        place = f"prompt {row + 1} of {len(real)}" + "".join(f", position {p}" for p in where)
        raise NonFiniteError("an activation is NaN or infinite", where=f"{name} · {place}")
    return value


def blank(
    value: Float[np.ndarray, "batch pos ..."], real: Bool[np.ndarray, "batch pos"]
) -> Float[np.ndarray, "batch pos ..."]:
    """The value with NaN at padding, so that no mean can swallow it unseen."""
    shown = np.array(value, dtype=np.float32)
    shown[~real] = np.nan
    return shown


def merged(parts: Sequence[Fired]) -> Fired:
    """Several batches of one write as one: counts add up, medians are weighted by count."""
    count = sum(part.count for part in parts)
    shares = [part.count / count if count else 0.0 for part in parts]
    return Fired(
        count,
        sum(share * part.delta_norm for share, part in zip(shares, parts, strict=True)),
        sum(share * part.site_norm for share, part in zip(shares, parts, strict=True)),
    )


def _norms(values: Float[np.ndarray, "fired ..."]) -> Float[np.ndarray, " fired"]:
    return np.asarray(np.linalg.norm(values.reshape(len(values), -1).astype(np.float64), axis=1))
