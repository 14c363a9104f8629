"""Does the cost of an array grow with its size and no faster, in time and in memory?"""

from __future__ import annotations

import psutil

from benchmarks.harness import Bench, local_daemon, register, submit, tell, timed, wait


def run(bench: Bench) -> None:
    with local_daemon("process") as backend:
        definition = register(backend)
        daemon = psutil.Process(backend.private("status", {})["pid"])

        def work(size: int) -> None:
            wait(backend, submit(backend, definition, size=size))

        bench.compare(
            "whole array of `true`",
            {
                "10,000 children": timed(lambda: work(10_000)),
                "1,000 children": timed(lambda: work(1_000)),
            },
            warm=False,
        )
        before = daemon.memory_info().rss
        work(10_000)
        tell(
            "daemon's memory a child of one more array",
            f"{(daemon.memory_info().rss - before) / 10_000:,.0f} B",
        )
