"""What does one Docker job cost from the call to its end, beside the Engine API by hand?"""

from __future__ import annotations

from benchmarks.floor import IMAGE, containers
from benchmarks.harness import Bench, local_daemon, register, submit, timed, wait


def run(bench: Bench) -> None:
    with local_daemon("docker") as backend, containers("bridge") as engine:
        definition = register(backend, image=IMAGE)
        sides = {
            "nbbatch, SubmitJob until its end is known": lambda: wait(backend, submit(backend, definition)),
            "Engine API: create, start, wait, remove": lambda: engine(1, 1),
        }
        few = Bench(rounds=max(bench.rounds, 20), full=bench.full)
        few.compare("one container of `true`", {name: timed(work) for name, work in sides.items()})
