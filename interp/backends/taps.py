"""What happens at a site during one call, the same for every engine: edit, account, capture.

An engine hands each site's value to `Taps.at` and puts back what it gets; the arithmetic is done
in float32 and cast back once.
"""

from collections.abc import Iterator, Sequence
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


@dataclass(frozen=True, eq=False)
class Edges:
    """What one write blocks in one pass, in these heads or in all."""

    number: int
    heads: tuple[int, ...] | None
    blocked: Bool[np.ndarray, "batch query key"]


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
        self._read = 0  # positions so far, those of the next pass included

    @property
    def sites(self) -> tuple[Site, ...]:
        """Every site whose value this call touches, each once."""
        written = (write.site for write in self._writes if write.keys is None)
        return tuple(dict.fromkeys([*written, *self._capture]))

    @property
    def blocks(self) -> bool:
        """Whether this call blocks attention somewhere."""
        return any(write.keys is not None for write in self._writes)

    def move_to(
        self, masks: Sequence[Bool[np.ndarray, "batch pos"]], real: Bool[np.ndarray, "batch pos"]
    ) -> None:
        """Say where each write fires in the next pass, and which positions are not padding."""
        self._masks, self._real = tuple(masks), real
        self._read += real.shape[1]

    def at(self, site: Site, value: Array) -> Array:
        """The site's value after the edits; captured if asked for.

        Raises:
            NonFiniteError: an edited or captured value is NaN or infinite.
        """
        for number, write in enumerate(self._writes):
            if write.site == site and write.keys is None and self._masks[number].any():
                value = self._written(number, value)
        if site in self._capture:
            array = finite(self._engine.numpy(value), str(site), self._real)
            self._captured[site] = blank(array, self._real)
        return value

    def edges(self, layer: int, n_query: int, n_keys: int) -> Iterator[Edges]:
        """What is blocked in a block's attention in this pass, write by write.

        Raises:
            RequestError: some keys are not there any more, as in a sliding window.
        """
        for number, write in enumerate(self._writes):
            if write.keys is None or write.site.layer != layer or not self._masks[number].any():
                continue
            if n_keys != self._read:
                raise RequestError(
                    "attention is blocked where all positions are kept",
                    expected=f"{self._read} keys",
                    received=n_keys,
                    where=f"block {layer}",
                    hint="shorter prompts, or layers without a sliding window",
                )
            place = np.arange(n_keys)
            earlier = place < place[n_keys - n_query :, None]
            seen = self._masks[number][:, :, None] & write.keys.among(n_keys)[:, None]
            yield Edges(number, write.heads, seen & earlier)

    def note(self, number: int, before: Array, after: Array) -> None:
        """Account for what a write did where it fires in this pass: [batch, pos, ...] each.

        Raises:
            NonFiniteError: what it left is NaN or infinite.
        """
        write, mask = self._writes[number], self._masks[number]
        old, new = self._engine.numpy(before)[mask], self._engine.numpy(after)[mask]
        finite(new[:, None], f"{write.site} after an edit", np.ones((len(new), 1), bool))
        if write.heads is not None:
            old, new = old[:, list(write.heads)], new[:, list(write.heads)]
        self._accounts[number].rows.append(np.nonzero(mask)[0])
        self._accounts[number].deltas.append(_norms(new - old))
        self._accounts[number].norms.append(_norms(old))

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
        self.note(number, value, new)
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
