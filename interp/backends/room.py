"""How much a sweep may take on a CPU, whichever engine computes."""

import os

CPU_TOKENS, GPU_TOKENS = 1024, 16384  # what saturates a device; more takes memory only
CPU_BYTES = 2**27  # as much as those tokens need; a larger working set is slower, not faster


def free() -> int:
    """The bytes of memory that are free; all there are, where a system does not tell."""
    pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
