"""Locks that die with their process, so that a folder tells who is still writing to it.

They are the system's own, on open files: a process that was killed holds none, and no file has to
be cleaned up. Where a file system has none, nobody is ever seen to be writing.
"""

import fcntl
import hashlib
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"
TRIES: Final = 5  # somebody who only looks holds the lock for a moment


class Lock:
    """A lock that this process holds until it releases it, or dies."""

    def __init__(self, file: int) -> None:
        self._file = file

    def release(self) -> None:
        """Give it back; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def hold(folder: Path) -> Lock | None:
    """The lock of a run's folder, with our name in it; None where another process has it.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    for _ in range(TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
            continue
        except OSError:  # this file system has no locks
            pass
        os.ftruncate(file, 0)
        os.write(file, json.dumps({"pid": os.getpid(), "host": this_host()}).encode())
        return Lock(file)
    os.close(file)
    return None


def hold_open(file: int) -> None:
    """Lock a file that this process has open, for as long as it has."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX)


def is_held(path: Path) -> bool:
    """Whether a process that is alive holds the lock of this file."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def this_host() -> str:
    """This machine, told apart from others and not named: folders of runs are shown around."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]


def holder(folder: Path) -> str:
    """Who holds the lock of a run's folder, in words."""
    try:
        known = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        where = "" if known["host"] == this_host() else " on another machine"
        return f"process {known['pid']}{where}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
