"""What does the Docker executor add to a container's own cost?"""

from __future__ import annotations

import os

from benchmarks.floor import IMAGE, containers
from benchmarks.harness import Bench, local_daemon, register, submit, timed, wait

TIMES, IN_FLIGHT = 24, 4


def run(bench: Bench) -> None:
    os.environ["NBBATCH_OVERSUBSCRIBE"] = str(max(1.0, IN_FLIGHT / (os.cpu_count() or 1)))
    with local_daemon("docker") as backend, containers("bridge") as engine:
        definition = register(backend, image=IMAGE)
        sides = {
            "nbbatch, Docker executor": lambda: wait(backend, submit(backend, definition, size=TIMES)),
            "Engine API by hand": lambda: engine(TIMES, IN_FLIGHT),
        }
        bench.compare(
            f"array of {TIMES} containers of `true`, {IN_FLIGHT} in flight, bridge network, per container",
            {name: timed(work, per=TIMES) for name, work in sides.items()},
        )
