"""How much memory does the daemon hold with 100,000 finished and 10,000 waiting jobs?"""

from __future__ import annotations

import psutil

from benchmarks.harness import Bench, local_daemon, register, submit, tell, wait
from benchmarks.m7_big_array import WAITING_MEMORY

ARRAYS, CHILDREN, WAITING = 10, 10_000, 10_000


def run(bench: Bench) -> None:
    with local_daemon("process") as backend:
        daemon = psutil.Process(backend.private("status", {})["pid"])
        measure(daemon, "at its start")
        definition = register(backend)
        for _ in range(ARRAYS):
            wait(backend, submit(backend, definition, size=CHILDREN))
        measure(daemon, f"with {ARRAYS * CHILDREN:,} finished children of arrays")
        definition = register(backend, "waiting", memory=WAITING_MEMORY)
        for _ in range(WAITING):
            submit(backend, definition)
        measure(daemon, f"and {WAITING:,} waiting single jobs")


def measure(daemon: psutil.Process, when: str) -> None:
    tell(when, f"{daemon.memory_info().rss / 2**20:,.1f} MiB")
