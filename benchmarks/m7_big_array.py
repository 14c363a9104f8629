"""What does SubmitJob of 10,000 children cost, and DescribeJobs of their parent?"""

from __future__ import annotations

from benchmarks.harness import Bench, local_daemon, register, submit, timed

WAITING_MEMORY = 100_000_000
"""MiB that no machine has, so that what is submitted stays RUNNABLE and disturbs nothing."""


def run(bench: Bench) -> None:
    with local_daemon("process") as backend:
        definition = register(backend, memory=WAITING_MEMORY)
        bench.compare(
            "SubmitJob",
            {
                "array of 10,000": timed(lambda: submit(backend, definition, size=10_000)),
                "single job": timed(lambda: submit(backend, definition)),
            },
        )
        parent, single = submit(backend, definition, size=10_000), submit(backend, definition)
        sides = {
            "parent of 10,000": lambda: backend.batch.describe_jobs(jobs=[parent]),
            "single job": lambda: backend.batch.describe_jobs(jobs=[single]),
            "unknown job: an empty reply": lambda: backend.batch.describe_jobs(jobs=["0"]),
        }
        bench.compare("DescribeJobs", {name: timed(work) for name, work in sides.items()})
