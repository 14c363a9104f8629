"""What the job used of the machine."""

from __future__ import annotations

import resource
import sys
import time

_STARTED = [time.monotonic()]


def start() -> None:
    """Count the seconds from now: this process was forked from one that was started long ago."""
    _STARTED[0] = time.monotonic()


def used() -> dict[str, float]:
    """CPU seconds and peak memory in bytes, child processes included, and seconds since the start."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "cpu_seconds": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "peak_memory": max(_peak(own.ru_maxrss), children.ru_maxrss * _UNIT),
        "seconds": time.monotonic() - _STARTED[0],
    }


_UNIT = 1 if sys.platform == "darwin" else 1024


def _peak(maxrss: int) -> int:
    """Peak resident memory in bytes.

    Linux lets `ru_maxrss` start at the peak of the process that forked this one; VmHWM does not.
    """
    try:
        with open("/proc/self/status", "rb") as file:
            status = file.read()
    except OSError:
        return maxrss * _UNIT
    found = status.partition(b"VmHWM:")[2].split(None, 1)
    return int(found[0]) * 1024 if found else maxrss * _UNIT


def python_version() -> str:
    """As in 3.11.7."""
    return "{}.{}.{}".format(*sys.version_info[:3])
