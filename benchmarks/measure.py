"""Seconds and bytes of one call: CPU time of this process, and its peak over where it began."""

import ctypes
import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Taken:
    """What a call took and what it gave."""

    seconds: float
    megabytes: float
    result: object


def taken(call: Callable[[], object], *, share: float = 1.0) -> Taken:
    """One call, timed; `share` is the part of the work it did, and the time is scaled to all."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what earlier calls freed does not count for this one
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets the peak
    before, start = _kilobytes("VmRSS"), time.process_time()
    result = call()
    seconds = time.process_time() - start
    return Taken(seconds / share, (_kilobytes("VmHWM") - before) / 1024, result)


def gemm_rate(rows: int = 256) -> float:
    """FLOPs a second of one thread, in the product that most of the work is."""
    a, b = torch.randn(rows, 512), torch.randn(2048, 512)
    best = 0.0
    for _ in range(5):
        start = time.process_time()
        for _ in range(20):
            torch.nn.functional.linear(a, b)
        best = max(best, 20 * 2.0 * rows * 512 * 2048 / (time.process_time() - start))
    return best


def load() -> float:
    """How many processes wanted to run during the last minute."""
    return os.getloadavg()[0]


def _kilobytes(name: str) -> int:
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
