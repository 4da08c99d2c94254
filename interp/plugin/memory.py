"""How much memory this process holds, and has held."""

import resource
import sys


def held() -> int:
    """The bytes of this process that are in memory, the weights of its model among them."""
    import psutil  # noqa: PLC0415  only once a model is loaded

    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """The most bytes that this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes there, KiB elsewhere
