"""Does DescribeJobs of 100 ids cost the same whatever else is kept?"""

from __future__ import annotations

from benchmarks.harness import Bench, local_daemon, register, submit, timed, wait


def run(bench: Bench) -> None:
    for kept in (100, 10_000):
        measure(bench, kept)


def measure(bench: Bench, kept: int) -> None:
    with local_daemon("process") as backend:
        array = submit(backend, register(backend), size=kept)
        wait(backend, array)
        ids = [f"{array}:{index}" for index in range(0, kept, kept // 100)]
        sides = {
            "100 children": timed(lambda: backend.batch.describe_jobs(jobs=ids)),
            "an empty reply": timed(lambda: backend.batch.describe_jobs(jobs=["0"])),
        }
        bench.compare(f"DescribeJobs of 100 ids among {kept:,} finished jobs", sides)
