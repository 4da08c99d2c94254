"""How much memory this process holds, and has held; and sizes as people write them."""

import argparse
import re
import resource
import sys
from typing import Final

UNITS: Final = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", re.IGNORECASE)


def in_bytes(text: str) -> int:
    """A size such as 2GB, 512MiB or 1000000, in bytes.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    found = SIZE.fullmatch(text.strip())
    size = 0
    if found and (found[2] or not found[3]):
        unit = UNITS[found[2].upper()]
        size = int(float(found[1]) * (unit if not found[3] else _binary(unit)))
    if not size:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 2GB, 512MiB or bytes")
    return size


def _binary(unit: int) -> int:
    return int(1024 ** (len(str(unit)) // 3))


def held() -> int:
    """The bytes of this process that are in memory, the weights of its model among them."""
    import psutil  # noqa: PLC0415  only once a model is loaded

    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """The most bytes that this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes there, KiB elsewhere
