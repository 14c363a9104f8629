"""How long from no daemon at all to the first job's end?"""

from __future__ import annotations

import time

import boto3  # noqa: F401 - what a notebook that submits has imported long ago

from benchmarks.harness import Bench, local_daemon, python, register, submit, timed, wait


def first_job() -> float:
    """Milliseconds from an empty home until the first job has ended."""
    started = time.perf_counter()
    with local_daemon("process") as backend:
        wait(backend, submit(backend, register(backend)))
        return (time.perf_counter() - started) * 1000


def only_start() -> float:
    """Milliseconds from an empty home until the daemon takes requests."""
    started = time.perf_counter()
    with local_daemon("process"):
        return (time.perf_counter() - started) * 1000


def run(bench: Bench) -> None:
    bench.compare(
        "an empty home",
        {
            "start a daemon, register, submit, until its end": first_job,
            "start a daemon, until it takes requests": only_start,
            "fresh interpreter": timed(python("pass")),
        },
    )
