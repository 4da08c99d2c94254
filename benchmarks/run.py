"""`make bench`: every workload beside what a user would otherwise do, in one interleaved run."""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import passes
import torch
import workloads as w
from contenders import Contender, Workload
from guests import DENSITY, DeclinedError, Guests
from measure import gemm_rate, load, taken
from shapes import Bench, bench

RESULTS = Path(__file__).parent / "results"
TEMPORARY = Path(tempfile.gettempdir())
ENOUGH = 0.98  # of the compared values: ranks may move by 1 between kernel shapes
LIST: dict[str, tuple[str, Callable[[Bench], Workload]]] = {
    "w1-thoughts": ("mini", lambda b: w.steering(b, 8, (79, 99), "generated")),
    "w1-short": ("small", lambda b: w.steering(b, 4, (19, 29), "generated")),
    "w1-everywhere": ("small", lambda b: w.steering(b, 4, (19, 29), "all")),
    "w2": ("small", lambda b: w.back_patching(b, 2)),
    "w2-many": ("mini", lambda b: w.back_patching(b, 32)),
    "w2-four": ("small", lambda b: w.back_patching(b, 2, "four")),
    "w2-nine": ("small", lambda b: w.back_patching(b, 2, "nine")),
    "w2-middle": ("small", lambda b: w.back_patching(b, 2, "middle")),
    "w3": ("small", lambda b: passes.lens(b, 8)),
    "w4": ("small", lambda b: passes.differences(b, 16)),
    "w4-many": ("mini", lambda b: passes.differences(b, 128)),
    "w4-principal": ("small", lambda b: passes.principal(b, 16)),
    "w5": ("small", lambda b: w.heads(b, 2)),
    "w5-many": ("mini", lambda b: w.heads(b, 32, 61)),
    "w6": ("small", lambda b: w.sets_of_positions(b, 8)),
}


@dataclass(frozen=True)
class Row:
    """One workload: seconds, bound and megabytes of ours, and each contender's ratios to them.

    `equal` is the share of a contender's values that are ours; `untimed` says who was not timed,
    and why.
    """

    name: str
    shape: str
    seconds: list[float] = field(default_factory=list)
    over_bound: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    ratios: dict[str, list[float]] = field(default_factory=dict)
    their_megabytes: dict[str, list[float]] = field(default_factory=dict)
    equal: dict[str, float] = field(default_factory=dict)
    untimed: dict[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> list[float]:
        """The loop's time over the bound: as many times faster as it could be, and no more."""
        each = zip(self.ratios["loop"], self.over_bound, strict=True)
        return [float(f"{ratio * over:.3g}") for ratio, over in each]


def measured(work: Workload, shape: str, rounds: int, guests: Guests) -> Row:
    """Equality first, then rounds in which everybody has one turn.

    Raises:
        SystemExit: plain hooks give other numbers.
    """
    row, found = Row(work.name, shape), work.ours()
    contenders = dict(work.plain)
    for name, one in work.plain.items():
        row.equal[name] = _equal(found, one, work.slack)
    if min(row.equal.values()) < ENOUGH:
        sys.exit(f"{work.name}: other numbers than plain hooks give: {row.equal}")
    for peer in guests.present:
        try:
            one = guests.on(peer, shape).contender(work.ask(DENSITY[peer]))
            row.equal[peer] = _equal(found, one, work.slack)
        except DeclinedError as error:
            row.untimed[peer] = str(error)
        else:
            contenders[peer] = one
            if row.equal[peer] < ENOUGH:
                row.untimed[peer] = f"other numbers: {row.equal[peer]:.1%} are equal"
                del contenders[peer]
    for _ in range(rounds):
        _one_round(row, work, contenders)
    return row


def _one_round(row: Row, work: Workload, contenders: dict[str, Contender]) -> None:
    rate, mine = gemm_rate(), taken(work.ours)
    row.seconds.append(round(mine.seconds, 3))
    row.over_bound.append(round(mine.seconds / (work.flops / rate), 2))
    row.megabytes.append(round(mine.megabytes))
    for name, one in contenders.items():
        theirs = one.take()
        row.ratios.setdefault(name, []).append(round(theirs.seconds / mine.seconds, 1))
        row.their_megabytes.setdefault(name, []).append(round(theirs.megabytes))


def _equal(ours: np.ndarray, contender: Contender, slack: int) -> float:
    mine, theirs = contender.of(ours), contender.take().result
    if mine.shape != theirs.shape:
        raise DeclinedError(f"a result of shape {theirs.shape}, not {mine.shape}")
    if np.issubdtype(theirs.dtype, np.floating):
        return float(np.isclose(mine, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max()).mean())
    return float((np.abs(mine.astype(np.int64) - theirs) <= slack).mean())


def environment() -> dict[str, object]:
    """What a number must be read with."""
    libraries = ("torch", "transformers", "numpy")
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in libraries},
        "gemm_gflops": round(gemm_rate() / 1e9),
        "load": round(load(), 1),
    }


def span(values: list[float]) -> str:
    """The median, and the range over the rounds."""
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{median(values):g} ({low:g} to {high:g})"


def table_row(row: Row) -> str:
    """A line of the table."""
    ratios = ", ".join(f"{key} {span(each)}" for key, each in row.ratios.items())
    untimed = "; ".join(f"{peer}: {why}" for peer, why in row.untimed.items())
    cells = (row.name, row.shape, *map(span, (row.seconds, row.over_bound, row.megabytes)))
    cells = (*cells, span(row.allowed))
    equal = min(row.equal[name] for name in row.ratios)
    return f"| {' | '.join(cells)} | {ratios} | {equal:.3f} | {untimed} |"


def main() -> None:
    """Measure what was asked for, print the table, keep the results."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("names", nargs="*", default=list(LIST))
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--models", type=Path, default=TEMPORARY / "interp-bench")
    asked.add_argument("--peers", type=Path, default=TEMPORARY / "interp-peers")
    asked.add_argument("--out", type=Path, default=RESULTS / "all.json")
    options = asked.parse_args()
    torch.set_num_threads(1)
    before, rows, loaded = environment(), [], {}
    guests = Guests(options.peers, options.models)
    print(f"peers: {', '.join(guests.present) or 'none'}; without an environment: "
          f"{', '.join(guests.missing) or 'none'} (benchmarks/peers/build.sh)\n")  # fmt: skip
    print(
        "| workload | shape | seconds | x bound | MB | loop / bound | theirs / ours "
        "| equal | not timed |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.names or LIST:
        shape, make = LIST[name]
        if shape not in loaded:
            loaded[shape] = bench(shape, options.models)
        rows.append(measured(make(loaded[shape]), shape, options.rounds, guests))
        print(table_row(rows[-1]), flush=True)
        after = {**before, "load_after": round(load(), 1), "peers": guests.versions}
        kept = {"environment": {**after, "peers_missing": guests.missing}}
        kept["rows"] = [vars(one) for one in rows]
        options.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
