"""`make bench`: every workload beside what a user would otherwise do, in one interleaved run."""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import workloads as w
from measure import gemm_rate, load, taken
from shapes import Bench, bench

RESULTS = Path(__file__).parent / "results"
LIST: dict[str, tuple[str, Callable[[Bench], w.Workload]]] = {
    "w1-thoughts": ("mini", lambda b: w.steering(b, 8, (79, 99), "generated")),
    "w1-short": ("small", lambda b: w.steering(b, 4, (19, 29), "generated")),
    "w1-everywhere": ("small", lambda b: w.steering(b, 4, (19, 29), "all")),
    "w2": ("small", lambda b: w.back_patching(b, 2)),
    "w2-many": ("mini", lambda b: w.back_patching(b, 32)),
    "w2-middle": ("small", lambda b: w.back_patching(b, 2, "middle")),
    "w3": ("small", lambda b: w.lens(b, 8)),
    "w4": ("small", lambda b: w.differences(b, 16)),
    "w5": ("small", lambda b: w.heads(b, 2)),
    "w5-many": ("mini", lambda b: w.heads(b, 32, 61)),
    "w6": ("small", lambda b: w.sets_of_positions(b, 8)),
}


@dataclass(frozen=True)
class Row:
    """One workload: seconds, bound and megabytes of ours, and each contender's ratios to them."""

    name: str
    shape: str
    seconds: list[float]
    over_bound: list[float]
    megabytes: list[float]
    ratios: dict[str, list[float]]
    their_megabytes: dict[str, list[float]]
    equal: dict[str, float]


def measured(work: w.Workload, shape: str, rounds: int) -> Row:
    """Equality first, then rounds in which everybody has one turn.

    Raises:
        SystemExit: fewer than 98 % of the compared values are equal.
    """
    found = work.ours()
    equal = {name: _equal(found, one, work.slack) for name, one in work.plain.items()}
    if min(equal.values()) < 0.98:  # noqa: PLR2004  ranks may move by 1 between kernel shapes
        sys.exit(f"{work.name}: other numbers than plain hooks give: {equal}")
    row = Row(work.name, shape, [], [], [], {n: [] for n in equal}, {n: [] for n in equal}, equal)
    for _ in range(rounds):
        rate, mine = gemm_rate(), taken(work.ours)
        row.seconds.append(round(mine.seconds, 3))
        row.over_bound.append(round(mine.seconds / (work.flops / rate), 2))
        row.megabytes.append(round(mine.megabytes))
        for name, one in work.plain.items():
            theirs = taken(one.call, share=one.share)
            row.ratios[name].append(round(theirs.seconds / mine.seconds, 1))
            row.their_megabytes[name].append(round(theirs.megabytes))
    return row


def _equal(ours: np.ndarray, plain: w.Plain, slack: int) -> float:
    mine, theirs = plain.of(ours), plain.call()
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
    """The range over the rounds."""
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def main() -> None:
    """Measure what was asked for, print the table, keep the results."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("names", nargs="*", default=list(LIST))
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "interp-bench")
    asked.add_argument("--out", type=Path, default=RESULTS / "plain.json")
    options = asked.parse_args()
    torch.set_num_threads(1)
    before, rows, loaded = environment(), [], {}
    print("| workload | shape | seconds | x bound | MB | plain / ours | equal |")
    print("|---|---|---|---|---|---|---|")
    for name in options.names or LIST:
        shape, make = LIST[name]
        if shape not in loaded:
            loaded[shape] = bench(shape, options.models)
        row = measured(make(loaded[shape]), shape, options.rounds)
        rows.append(row)
        ratios = ", ".join(f"{key} {span(each)}" for key, each in row.ratios.items())
        cells = (row.name, shape, span(row.seconds), span(row.over_bound), span(row.megabytes))
        print(f"| {' | '.join(cells)} | {ratios} | {min(row.equal.values()):.3f} |", flush=True)
        after = {**before, "load_after": round(load(), 1)}
        kept = {"environment": after, "rows": [vars(one) for one in rows]}
        options.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
