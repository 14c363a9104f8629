"""What does a child of an array cost beside a bare posix_spawn?"""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.floor import spawner
from benchmarks.harness import Bench, local_daemon, register, submit, timed, wait


def run(bench: Bench) -> None:
    with local_daemon("process") as backend, spawner() as spawn:
        definition = register(backend)
        for size in (1_000, 10_000) if bench.full else (1_000,):
            bench.compare(
                f"array of {size:,} `true`, submitted until all ends are known, per child",
                {
                    "nbbatch, process executor": timed(partial(array, backend, definition, size), per=size),
                    "C posix_spawn, two in flight": timed(partial(spawn, size), per=size),
                },
            )


def array(backend: Any, definition: str, size: int) -> None:
    wait(backend, submit(backend, definition, size=size))
