"""The writes of many variants as those of one batch, the variants of a prompt side by side.

Row r of the batch is prompt r // n of variant r % n. Nothing here knows an engine.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from interp.backends.protocol import Write
from interp.sites import PER_HEAD, Site

Slot = tuple[Site, int, str, tuple[int, ...] | None]  # a variant's how-manieth write at which site


@dataclass(frozen=True, eq=False)
class Braid:
    """So many variants' writes as writes of one batch; `place` says where a variant's own went."""

    n: int
    writes: tuple[Write, ...]
    place: tuple[tuple[int, ...], ...]


def at_thoughts_only(writes: Sequence[Write]) -> bool:
    """Whether these touch neither the question nor the answer, so that the question is shared."""
    tokens = any(one.thoughts is None or one.mask.any() or one.generated.any() for one in writes)
    return not tokens and all(one.keys is None for one in writes)


def braided(variants: Sequence[Sequence[Write]], n_prompts: int) -> Braid:
    """Writes at thoughts, those at one site with one op together.

    A variant's writes at one site keep their order; those at different sites need none.
    """
    slots: dict[Slot, dict[int, Write]] = {}
    slots_of: list[list[Slot]] = []
    for number, writes in enumerate(variants):
        seen, own = Counter[Site](), list[Slot]()
        for write in writes:
            own.append((write.site, seen[write.site], write.op, write.heads))
            slots.setdefault(own[-1], {})[number] = write
            seen[write.site] += 1
        slots_of.append(own)
    ordered = sorted(slots, key=lambda slot: slot[1])
    merged = tuple(_merged(slots[slot], len(variants), n_prompts) for slot in ordered)
    return Braid(len(variants), merged, tuple(tuple(map(ordered.index, own)) for own in slots_of))


def _merged(writes: Mapping[int, Write], n: int, n_prompts: int) -> Write:
    """One write of the whole batch; where it does not fire its value is of no matter."""
    some = next(iter(writes.values()))
    axes = 1 if some.site.name not in PER_HEAD else 2
    shape = some.value.shape[some.value.ndim - axes :]
    value = np.ones((n_prompts, n, *shape), np.float32)
    alpha = np.zeros((n_prompts, n), np.float32)
    steps = {number: np.asarray(write.thoughts) for number, write in writes.items()}
    fires = np.zeros((n_prompts, n, max(one.shape[1] for one in steps.values())), dtype=bool)
    for number, write in writes.items():
        value[:, number], alpha[:, number] = write.value, write.alpha
        fires[:, number] = steps[number]
    rows = n_prompts * n
    none = np.zeros((rows, 1), dtype=bool)
    return replace(
        some,
        value=value.reshape(rows, *shape),
        alpha=alpha.reshape(rows),
        mask=none,
        generated=none[:, 0],
        thoughts=fires.reshape(rows, -1),
    )
