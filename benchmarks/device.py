"""The two longest runs of the source documents at their own size, on whatever device there is.

    python benchmarks/device.py           float32 and bfloat16, the size of the source
    python benchmarks/device.py --shape tiny --problems 3 --prompts 8      to try it, on a CPU

The sweep is 107 problems x 13 doses at 3 layers, 4,173 generations, for which the source took 20
minutes on a GPU; the extraction is one pass over 532 prompts with every layer kept, for which it
took 60. Weights are random. Seconds are wall time and hold the loading of the model.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from readouts import tokens
from run import RESULTS, environment
from shapes import SHAPES, prompts

from interp import resid_post, steer, sweep
from interp.backends.torch_twins import write_twin
from interp.directions import mean_differences
from interp.models import Model, load
from interp.registry import ModelSpec

WORDS = (60, 80)  # of a problem
NEW = 16
GOALS = {"sweep float32": 30, "sweep bfloat16": 15, "extraction float32": 15}  # seconds
Measured = dict[str, float | int | str]


def doses(model: Model, problems: int) -> Measured:
    """Every dose at every layer, steered while generating."""
    wanted = prompts(problems, *WORDS)
    vector = np.random.default_rng(1).normal(size=model.d_model).astype(np.float32)
    variants = [
        (steer(resid_post(model.layer(depth)), vector, alpha=alpha / 4).during("generated"),)
        for depth in (0.25, 0.5, 0.75)
        for alpha in range(-6, 7)
    ]
    grid = sweep(model, wanted, variants, read=partial(tokens, NEW), max_new_tokens=NEW)
    work = {"layer_tokens": grid.work.layer_tokens, "one_by_one": grid.work.one_by_one}
    return {"cells": len(variants) * problems, "rung": str(grid.rung), **work}


def extracted(model: Model, count: int) -> Measured:
    """The mean difference of two kinds of prompts at every layer."""
    kinds = [prompts(count // 2, *WORDS, seed=seed) for seed in (1, 2)]
    sites = [resid_post(layer) for layer in range(model.n_layers)]
    found = mean_differences(model, *kinds, sites=sites)
    return {"prompts": 2 * (count // 2), "layers": len(found)}


def timed(folder: Path, dtype: str, device: str, does: Callable[[Model], Measured]) -> Measured:
    """One run of a model that is loaded for it."""
    start = time.perf_counter()
    model = load(ModelSpec(folder.name, str(folder), is_local=True), dtype=dtype, device=device)
    loaded = time.perf_counter()
    found = does(model)
    ended = time.perf_counter()
    model.close()
    return {"seconds": round(ended - start, 2), "loading": round(loaded - start, 2), **found}


def main() -> None:
    """Measure, print, keep the results."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--shape", choices=SHAPES, default="1b")
    asked.add_argument("--problems", type=int, default=107)
    asked.add_argument("--prompts", type=int, default=532)
    asked.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "interp-bench")
    asked.add_argument("--out", type=Path, default=RESULTS / "device.json")
    options = asked.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    named = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    folder = options.models / options.shape
    if not folder.exists():
        write_twin("llama", folder, SHAPES[options.shape])
    kept = {"environment": environment(), "device": named, "shape": options.shape, "goals": GOALS}
    kept["measured"] = found = {}
    for dtype in ("float32", "bfloat16"):
        found[f"sweep {dtype}"] = timed(
            folder, dtype, device, lambda model: doses(model, options.problems)
        )
        found[f"extraction {dtype}"] = timed(
            folder, dtype, device, lambda model: extracted(model, options.prompts)
        )
        for name in (f"sweep {dtype}", f"extraction {dtype}"):
            print(f"{name} on {named}: {found[name]}", flush=True)
        options.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
