"""What does the sidebar's list of 5,000 jobs cost: at first, when nothing changed, and for one change?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

import msgspec

from benchmarks.harness import Bench, local_daemon, register, timed

LISTED, STORED, SCREEN = 5_000, 6_000, 100
_AT_ONCE = 4


def run(bench: Bench) -> None:
    with local_daemon("process") as backend:
        ids = fill(backend, STORED)
        changing = cycle(reversed(ids))  # the first one's end would change why the next one waits
        for title, wanted in (("all of them", LISTED), ("a screen of them", SCREEN)):
            bench.compare(f"{title}, of {STORED:,} stored", sides(backend, changing, ids[:100], wanted))


def sides(
    backend: Any, changing: Iterator[str], hundred: list[str], wanted: int
) -> dict[str, Callable[[], float]]:
    from nbbatch.jupyter.routes.board import Board

    board = Board(backend)

    def show(board: Board) -> int:
        board.catch_up()
        return len(msgspec.json.encode(board.dressed(board.page(lambda _: True, wanted).rows)))

    def change() -> float:
        version = board.version
        job_id = next(changing)
        backend.batch.cancel_job(jobId=job_id, reason="a change")
        started = time.perf_counter()
        board.catch_up()
        changed = board.changed_after(version)
        rows = board.dressed(changed.rows)
        msgspec.json.encode(rows)
        assert job_id in {row.id for row in rows}
        return (time.perf_counter() - started) * 1000

    show(board)
    return {
        "the first answer": timed(lambda: show(Board(backend))),
        "a refresh without a change": timed(lambda: show(board)),
        "one change": change,
        "DescribeJobs of 100 ids": timed(lambda: backend.batch.describe_jobs(jobs=hundred)),
    }


def fill(backend: Any, count: int) -> list[str]:
    """Jobs that wait, because their queue's environment is switched off."""
    batch = backend.batch
    definition = register(backend)
    kinds = {"type": "EC2", "maxvCpus": 4, "minvCpus": 0, "instanceTypes": ["m6i.large"]}
    network = {"subnets": ["subnet-1"], "securityGroupIds": ["sg-1"], "instanceRole": "role"}
    batch.create_compute_environment(
        computeEnvironmentName="off", type="MANAGED", computeResources={**kinds, **network}
    )
    batch.update_compute_environment(computeEnvironment="off", state="DISABLED")
    batch.create_job_queue(
        jobQueueName="full",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "off"}],
    )

    def submit(number: int) -> str:
        reply = batch.submit_job(jobName=f"job-{number}", jobQueue="full", jobDefinition=definition)
        return str(reply["jobId"])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(submit, range(count)))
