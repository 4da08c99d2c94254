"""Does an unedited forward pass cost more here than mlx-lm called directly?

Both run the same right-padded batch, by turns, in one process; the logits are compared first. What
is printed is the range of the ratios of neighbouring runs, ours over theirs: `all` fetches logits
at every position, as mlx-lm does; `last` those that `run` asks for by default.

    python benchmarks/mlx_forward.py [FOLDER] [--repeats 30]

Exit status 1 if the median ratio of `all` is above 1.10, or the logits differ.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

import mlx.core as mx
import numpy as np
from mlx_lm.utils import load_model

from interp import PromptSet, load

ROOT = Path(__file__).parents[1]
LIMIT, SAME = 1.10, 2e-5


def timed(work: Callable[[], object]) -> float:
    """The seconds that one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Print the ratios; 1 if ours is slower than allowed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", default=ROOT / "fixtures/checkpoints/llama-world")
    parser.add_argument("--repeats", type=int, default=30)
    asked = parser.parse_args()
    ours = load(str(asked.folder), backend="mlx")
    theirs, _ = load_model(Path(asked.folder))
    prompts = PromptSet.from_file(ROOT / "fixtures/prompts/mixed_lengths.jsonl")
    ids = ours.encode(prompts).ids
    padded = np.zeros((len(ids), max(map(len, ids))), np.int32)
    for row, tokens in enumerate(ids):
        padded[row, : len(tokens)] = tokens

    def direct() -> np.ndarray:
        return np.array(theirs(mx.array(padded)).astype(mx.float32))

    ways = {
        "all": lambda: ours.backend.forward(ids, logits="all").logits,
        "last": lambda: ours.backend.forward(ids, logits="last").logits,
    }
    apart = np.nanmax(np.abs(ways["all"]() - direct()))
    print(f"{padded.shape} tokens; largest difference of logits {apart:.1e}")
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(asked.repeats):
        for name, way in ways.items():
            ratios[name].append(timed(way) / timed(direct))
    for name, of in ratios.items():
        low, high = np.quantile(of, [0.1, 0.9])
        print(f"{name:<5} {median(of):.2f} ({low:.2f} to {high:.2f}, 10 % to 90 % of {len(of)})")
    versions = ", ".join(f"{name} {version(name)}" for name in ("mlx", "mlx-lm"))
    print(f"{versions}, {platform.machine()}, {mx.default_device()}")
    return int(not (apart < SAME and median(ratios["all"]) <= LIMIT))


if __name__ == "__main__":
    sys.exit(main())
