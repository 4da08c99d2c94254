"""What a sweep costs beside its arithmetic: planning a grid, and a grid of one cell."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from plain import changed, next_logits
from run import RESULTS, environment, span
from shapes import Bench, bench, prompts

from interp import patch, planning, random_direction, resid_post, resid_pre, run, steer, sweep
from interp.edits import Edit
from interp.planned import TRUNK_TOKENS, Room
from interp.prompts import PromptSet
from interp.readers import likeliest
from interp.resolve import write
from interp.sites import layer_pairs

TIMES = 20  # a call is made in a round
Variants = list[tuple[Edit, ...]]


def planned(b: Bench, wanted: PromptSet, variants: Variants) -> int:
    """Everything a sweep does before and between its passes; how many cells there are."""
    encoded, model = b.ours.encode(wanted), b.ours
    once, _ = planning.distinct(variants)
    writes = [[write(model, encoded, edit) for edit in variant] for variant in once]
    grid = planning.cells(encoded.lengths, writes, model.n_layers)
    room = Room(model.backend.sharing, grid, 2**40)
    for chunk in planning.trunks(grid, TRUNK_TOKENS * room.tokens):
        planning.trunk_plan(grid, chunk, encoded.ids)
        for batch in planning.batches(grid, planning.of_prompts(grid, chunk), room.tokens):
            planning.wave(batch, chunk)
    return int(grid.width.size)


def doses(b: Bench) -> Variants:
    """3 layers x 13 doses, everywhere."""
    layers = [b.ours.layer(depth) for depth in (0.25, 0.5, 0.75)]
    along = {layer: random_direction(b.ours, resid_post(layer), seed=layer) for layer in layers}
    return [
        (steer(resid_post(layer), along[layer], alpha=float(alpha)),)
        for layer in layers
        for alpha in range(-6, 7)
    ]


def pairs(b: Bench, wanted: PromptSet) -> Variants:
    """Every pair of layers, at the last position."""
    given = run(b.ours, wanted, capture=[resid_post(layer) for layer in b.ours.layers])
    return [
        (patch(resid_pre(early), given[resid_post(late), "last"], at="last"),)
        for early, late in layer_pairs(b.ours.n_layers)
    ]


def one_cell(b: Bench) -> tuple[Callable[[], object], Callable[[], object]]:
    """One prompt, pushed at one layer: by a sweep, and by a hook.

    Raises:
        SystemExit: they say different tokens.
    """
    wanted, site = prompts(1, 19, 29), resid_post(b.ours.layer(0.5))
    push = random_direction(b.ours, site, seed=0)
    ids, delta = b.ours.encode(wanted).ids, torch.from_numpy(push.vector)

    def ours() -> np.ndarray:
        return sweep(b.ours, wanted, [(steer(site, push),)], read=likeliest).values[0]

    def hook() -> np.ndarray:
        with changed(b.plain.model.layers[site.layer], lambda h: h + delta, output=True):
            return next_logits(b.plain, ids).argmax(dim=-1).numpy()

    if (ours() != hook()).any():
        sys.exit("a sweep of one cell says another token than a hook")
    return ours, hook


def milliseconds(call: Callable[[], object]) -> float:
    """CPU time of a call, the least of many: what else runs makes one longer, never shorter."""
    found = []
    for _ in range(TIMES):
        start = time.process_time()
        call()
        found.append(1000 * (time.process_time() - start))
    return min(found)


def main() -> None:
    """Measure, print, keep the results."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "interp-bench")
    options = asked.parse_args()
    torch.set_num_threads(1)
    b, about = bench("small", options.models), environment()
    few, some, many = (prompts(count, 19, 29) for count in (4, 32, 107))
    grids = {
        "W1, 3 layers x 13 doses, 4 prompts": (few, doses(b)),
        "W1, 3 layers x 13 doses, 107 prompts": (many, doses(b)),
        "W2, pairs of layers, 32 prompts": (some, pairs(b, some)),
    }
    found: dict[str, list[float]] = {}
    for name, (wanted, variants) in grids.items():
        called = f"planning {name}: {planned(b, wanted, variants)} cells"
        found[called] = [
            round(milliseconds(lambda: planned(b, wanted, variants)), 2)  # noqa: B023  called here
            for _ in range(options.rounds)
        ]
    ours, hook = one_cell(b)
    cells = [(milliseconds(ours), milliseconds(hook)) for _ in range(options.rounds)]
    found["one cell by a sweep"], found["one cell by a hook"] = (
        [round(one, 2) for one in each] for each in zip(*cells, strict=True)
    )
    for called, each in found.items():
        print(f"{called}: {span(each)} ms")
    kept = {"environment": about, "milliseconds": found}
    path = RESULTS / "floors.json"
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
