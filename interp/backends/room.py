"""How much a sweep may take on a CPU, whichever engine computes."""

import psutil

CPU_TOKENS, GPU_TOKENS = 1024, 16384  # what saturates a device; more takes memory only
CPU_BYTES = 2**27  # as much as those tokens need; a larger working set is slower, not faster


def free() -> int:
    """The bytes of memory that can be had without swapping."""
    return int(psutil.virtual_memory().available)


def half(free: int) -> int:
    """About half of what is free, in bytes.

    A power of two, so that what else goes on seldom changes what is computed together.
    """
    return 1 << max(free // 2, 1).bit_length() - 1
