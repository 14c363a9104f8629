"""What does a durable SubmitJob cost beside a constant reply of the same server?"""

from __future__ import annotations

from typing import Any

from benchmarks.canned import canned_batch
from benchmarks.harness import Bench, local_daemon, register, timed
from benchmarks.m7_big_array import WAITING_MEMORY

TIMES = 200


def run(bench: Bench) -> None:
    with local_daemon("process") as backend, canned_batch() as canned:
        definition = register(backend, memory=WAITING_MEMORY)
        bench.compare(
            f"{TIMES} SubmitJob by one boto3 client, each",
            {
                "nbbatch, durable": timed(lambda: submit_many(backend.batch, definition), per=TIMES),
                "constant reply, signature checked": timed(
                    lambda: submit_many(canned, definition), per=TIMES
                ),
            },
        )


def submit_many(batch: Any, definition: str) -> None:
    for _ in range(TIMES):
        batch.submit_job(jobName="bench", jobQueue="default", jobDefinition=definition)
