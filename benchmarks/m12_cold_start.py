"""How long from no daemon at all to the first job's end?"""

from __future__ import annotations

from benchmarks.harness import Bench, local_daemon, python, register, submit, timed, wait


def first_job() -> None:
    with local_daemon("process") as backend:
        wait(backend, submit(backend, register(backend)))


def only_start() -> None:
    with local_daemon("process"):
        pass


def run(bench: Bench) -> None:
    bench.compare(
        "the client imported already, an empty home",
        {
            "start a daemon, register, submit, wait, end it": timed(first_job),
            "start a daemon, end it": timed(only_start),
            "fresh interpreter": timed(python("pass")),
        },
    )
