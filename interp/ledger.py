"""The ledger: what each edit of a run really did, and the check that it did all it says."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Bool

from interp.backends.protocol import Fired, Write
from interp.edits import Edit
from interp.encoded import Encoded
from interp.errors import RequestError
from interp.prompts import PromptSet

MOST_SETS: Final = 16


@dataclass(frozen=True, repr=False)
class Entry:
    """What one edit did.

    `positions` are counted from each named row's first token, its BOS included; thoughts come
    after the last token. Norms are medians
    over all values the edit fired on: of the change, as the model's dtype could hold it, and of
    what was there before.
    """

    edit: str
    verb: str
    site: str
    phase: str
    rows: tuple[int, ...]
    positions: tuple[tuple[int, ...], ...]
    lengths: tuple[int, ...]
    fired: int
    alpha: float | tuple[float, ...]
    delta_norm: float
    site_norm: float

    def __repr__(self) -> str:
        """One line, as pytest prints it."""
        moved = f"moved {self.delta_norm:.3g} of {self.site_norm:.3g}"
        return f"<{self.edit}: fired {self.fired} times on {len(self.rows)} rows, {moved}>"

    @property
    def from_end(self) -> tuple[tuple[int, ...], ...]:
        """The positions counted from each row's end: -1 is its last token."""
        return tuple(
            tuple(place - length for place in places)
            for places, length in zip(self.positions, self.lengths, strict=True)
        )

    @property
    def relative_dose(self) -> float:
        """The change in units of the site's median norm; 0 where the site is zero."""
        return self.delta_norm / self.site_norm if self.site_norm else 0.0


def entry(encoded: Encoded, edit: Edit, done: Write, fired: Fired, passes: Sequence[int]) -> Entry:
    """The ledger's line for one edit.

    Args:
        encoded: the batch.
        edit: what was asked.
        done: what the backend was told.
        fired: what the backend reports.
        passes: how many decoding passes each row went through.

    Raises:
        RequestError: the edit fired on other than every value it names, or on none.
    """
    fed = done.mask[:, :0] if done.thoughts is None else done.thoughts
    due = int(done.mask.sum() + fed.sum()) + int(np.asarray(passes)[done.generated].sum())
    if fired.count != due or not due:
        raise RequestError(
            "an edit must fire on every value it names, and on one at least",
            expected=f"{max(due, 1)} values",
            received=f"{fired.count}",
            where=str(edit),
            hint="give it rows and positions that exist; a compiled model hides its modules",
        )
    touched = done.mask.any(axis=1) | done.generated | fed.any(axis=1)
    rows = tuple(int(row) for row in np.flatnonzero(touched))
    lengths = tuple(encoded.lengths[row] for row in rows)
    in_prompt, at_thoughts = _places(done.mask), _places(fed)
    places = tuple(
        (*in_prompt[row], *(length + step for step in at_thoughts[row]))
        for row, length in zip(rows, lengths, strict=True)
    )
    alpha = tuple(float(a) for a in done.alpha)
    same = len(set(alpha)) == 1
    phase = edit.phase if done.thoughts is None else "thoughts"
    return Entry(
        str(edit), edit.verb, str(edit.site), phase, rows, places, lengths, fired.count,
        alpha[0] if same else alpha, fired.delta_norm, fired.site_norm,
    )  # fmt: skip


@dataclass(frozen=True, order=True)
class Asked:
    """One prompt set as one model was given it: digests of its words and of the token ids."""

    name: str
    digest: str
    n: int
    tokens: str


def _places(mask: Bool[np.ndarray, "batch pos"]) -> list[list[int]]:
    """The positions under a mask, row by row."""
    places: list[list[int]] = [[] for _ in mask]
    for row, place in np.argwhere(mask).tolist():
        places[row].append(place)
    return places


@dataclass
class Watch:
    """What runs did while somebody watched: their edits, the sites they read, how they ran."""

    entries: list[Entry] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    verbs: set[str] = field(default_factory=set)
    prompts: set[Asked] = field(default_factory=set)
    sets: dict[str, PromptSet] = field(default_factory=dict)  # by the digest of their words
    sweeps: set[str] = field(default_factory=set)  # how sweeps were computed, with the reason

    @property
    def words(self) -> tuple[str, ...]:
        """Verbs, edited and read sites, without layers: what contracts speak for."""
        edited = {entry.site.split("(")[0] for entry in self.entries}
        return tuple(sorted(self.verbs | self.reads | edited))

    def summary(self) -> list[dict[str, object]]:
        """The edits, those with one verb, site and phase together, as JSON can hold them.

        `dose` is the norm of the change over the norm of what it changed: least, median, most.
        `from_end` is the range of positions, -1 the last token of a row.
        """
        groups: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in self.entries:
            groups.setdefault((entry.verb, entry.site, entry.phase), []).append(entry)
        return [_together(*kind, entries) for kind, entries in groups.items()]

    def prompt_sets(self) -> list[dict[str, object]]:
        """The prompt sets that were run, each once, in an order that does not depend on the runs.

        A spec that runs more than `MOST_SETS` sets of one name, such as its prompts one by one, has
        one line for all of them.
        """
        named: dict[str, list[Asked]] = {}
        for asked in sorted(self.prompts):
            named.setdefault(asked.name, []).append(asked)
        return [
            asdict(one)
            for sets in named.values()
            for one in (_folded(sets) if len(sets) > MOST_SETS else sets)
        ]


def _folded(sets: Sequence[Asked]) -> list[Asked]:
    """Many sets of one name as one, under digests of their digests."""
    words, tokens = _sha256(one.digest for one in sets), _sha256(one.tokens for one in sets)
    return [Asked(sets[0].name, words, sum(one.n for one in sets), tokens)]


def _sha256(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _together(verb: str, site: str, phase: str, entries: list[Entry]) -> dict[str, object]:
    doses = sorted(entry.relative_dose for entry in entries)
    places = [place for entry in entries for row in entry.from_end for place in row]
    return {
        "verb": verb,
        "site": site,
        "phase": phase,
        "runs": len(entries),
        "rows": max(len(entry.rows) for entry in entries),
        "from_end": [min(places), max(places)] if places else [],
        "fired": sum(entry.fired for entry in entries),
        "dose": [doses[0], doses[len(doses) // 2], doses[-1]],
    }


_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watching(watch: Watch) -> Iterator[Watch]:
    """Let every run of this thread report to `watch`; a watch within takes over until it ends."""
    token = _WATCH.set(watch)
    try:
        yield watch
    finally:
        _WATCH.reset(token)


def report(
    verb: str,
    entries: Sequence[Entry],
    reads: Sequence[str] = (),
    *,
    encoded: Encoded | None = None,
) -> None:
    """Tell whoever watches what a run did, and to which prompts."""
    watch = _WATCH.get()
    if watch is None:
        return
    if encoded is not None:
        prompts = encoded.prompts
        watch.sets[encoded.words_digest] = prompts
        watch.prompts.add(
            Asked(prompts.name, encoded.words_digest, len(prompts), encoded.tokens_digest)
        )
    watch.entries.extend(entries)
    watch.reads.update(reads)
    watch.verbs.update({verb, *(entry.verb for entry in entries)})


def report_sweep(how: str) -> None:
    """Tell whoever watches how a sweep was computed."""
    watch = _WATCH.get()
    if watch is not None:
        watch.sweeps.add(how)
