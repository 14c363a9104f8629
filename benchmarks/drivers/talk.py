"""How a driver is told what to do: a number of tasks on a line in, the seconds they took on a line out."""

import sys
import time
from collections.abc import Callable
from typing import Any


def serve(array: Callable[[int], Any]) -> None:
    """Say that all is up, then run arrays until the input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        array(int(line))
        print(time.perf_counter() - started, flush=True)
