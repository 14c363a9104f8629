"""What does a durable SubmitJob cost beside a constant reply of the same server?

A constant reply that waits for a commit of as many bytes stands between the two: what it takes longer
than the plain one is the disk's, what a SubmitJob takes longer than it is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.canned import canned_batch
from benchmarks.harness import Bench, local_daemon, processor_time, register, tell, timed
from benchmarks.m7_big_array import WAITING_MEMORY

TIMES = 200


def run(bench: Bench) -> None:
    with (
        local_daemon("process") as backend,
        TemporaryDirectory(prefix="nbbatch-bench-") as folder,
        canned_batch(f"{folder}/floor.db") as committing,
        canned_batch() as canned,
    ):
        definition = register(backend, memory=WAITING_MEMORY)
        daemon = int(backend.private("status", {})["pid"])
        sides = {
            "nbbatch, durable": (backend.batch, daemon),
            "constant reply behind a commit of as many bytes": committing,
            "constant reply, signature checked": canned,
        }

        def submitting(batch: Any) -> Callable[[], None]:
            return lambda: submit_many(batch, definition)

        ours, floor, reply = bench.compare(
            f"{TIMES} SubmitJob by one boto3 client, each",
            {name: timed(submitting(batch), per=TIMES) for name, (batch, _) in sides.items()},
        )
        tell("beside the constant reply behind a commit", f"{ours / floor:.2f}x")
        tell("the disk's part, of the constant reply", f"{(floor - reply) / reply:.2f}")
        tell("our part, of the constant reply", f"{(ours - floor) / reply:.2f}")
        bench.compare(
            "the same in processor time of the server, which neighbours on the machine do not count in",
            {name: processor_time(pid, submitting(batch), per=TIMES) for name, (batch, pid) in sides.items()},
        )


def submit_many(batch: Any, definition: str) -> None:
    for _ in range(TIMES):
        batch.submit_job(jobName="bench", jobQueue="default", jobDefinition=definition)
