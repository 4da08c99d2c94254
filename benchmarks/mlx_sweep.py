"""What does sharing save on MLX? Three sweeps of `sweep`, against one plain run a variant.

Both sides run by turns in one process, on the same loaded model; the values are compared first.
What is printed is the range of the ratios of neighbouring runs in CPU seconds of the process, the
plain runs over the sweep, and the ratio of the layer-tokens that the two compute. The sweep's side
holds its own audit.

    python benchmarks/mlx_sweep.py [FOLDER] [--repeats 5]
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

import mlx.core as mx
import numpy as np

from interp import (
    PromptSet,
    load,
    patch,
    relative_error,
    resid_post,
    resid_pre,
    run,
    steer,
    sweep,
    z,
)
from interp.edits import Edit
from interp.models import Model
from interp.readers import likeliest
from interp.sites import layer_pairs

ROOT = Path(__file__).parents[1]
Variants = list[tuple[Edit, ...]]


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """The CPU seconds that one call takes, and what it gives."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def grids(model: Model, prompts: PromptSet) -> dict[str, Variants]:
    """Back-patching at the last position, each head there, and doses at all positions."""
    given = run(model, prompts, capture=[site(n) for n in model.layers for site in (resid_post, z)])
    last = {site: given[site, "last"] for site in given.captured}
    heads = range(last[z(0)].shape[1])
    push = np.ones(model.d_model, np.float32) / np.sqrt(model.d_model)
    return {
        "back-patching": [
            (patch(resid_pre(early), last[resid_post(late)], at="last"),)
            for early, late in layer_pairs(model.n_layers)
        ],
        "heads": [
            (patch(z(n), np.roll(last[z(n)], 1, axis=0)[:, [head]], at="last").on_heads(head),)
            for n in model.layers
            for head in heads
        ],
        "doses": [
            (steer(resid_post(n), push, alpha=alpha),)
            for n in model.layers
            for alpha in (-2.0, -1.0, 0.0, 1.0, 2.0)
        ],
    }


def main() -> None:
    """Print a line a grid."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", default=ROOT / "fixtures/checkpoints/llama-world")
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    model = load(str(asked.folder), backend="mlx")
    prompts = PromptSet.from_file(ROOT / "fixtures/prompts/mixed_lengths.jsonl")
    for name, variants in grids(model, prompts).items():
        grid = sweep(model, prompts, variants, read=lambda done: done.next_logits)
        plain = np.stack([run(model, prompts, *one).next_logits for one in variants])
        ways = (
            lambda it=variants: sweep(model, prompts, it, read=likeliest).values,
            lambda it=variants: np.stack([likeliest(run(model, prompts, *one)) for one in it]),
        )
        pairs = [[timed(way)[0] for way in ways] for _ in range(asked.repeats)]
        ratios = [theirs / ours for ours, theirs in pairs]
        print(
            f"{name:<14} {len(variants):>3} variants x {len(prompts.prompts)} prompts, {grid.rung};"
            f" apart {relative_error(grid.values, plain):.1e};"
            f" {median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) times the CPU;"
            f" {grid.work.one_by_one / grid.work.layer_tokens:.1f} times the layer-tokens;"
            f" sweep {median(ours for ours, _ in pairs):.2f} s"
        )
    versions = ", ".join(f"{name} {version(name)}" for name in ("mlx", "mlx-lm"))
    print(f"{versions}, {platform.machine()}, {mx.default_device()}, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
