"""What does a durable SubmitJob cost beside a constant reply of the same server?

A constant reply that waits for a commit of as many bytes stands between the two: what it takes longer
than the plain one is the disk's, what a SubmitJob takes longer than it is ours. Then the same with
several clients at once, whose jobs share commits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.canned import KEY, REGION, SECRET, canned_batch
from benchmarks.driven import driven
from benchmarks.harness import Bench, local_daemon, processor_time, register, tell, timed
from benchmarks.m7_big_array import WAITING_MEMORY

TIMES = 200
CLIENTS, TIMES_EACH = 4, 100


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
        one_client(bench, sides, definition)
        endpoint = backend.address.endpoint
        ours = (endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, endpoint.region)
        theirs = [(batch.meta.endpoint_url, KEY, SECRET, REGION) for batch, _ in (committing, canned)]
        several_clients(bench, dict(zip(sides, (ours, *theirs), strict=True)), definition)


def one_client(bench: Bench, sides: Mapping[str, tuple[Any, int]], definition: str) -> None:
    """In wall time, and in processor time of the servers."""

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


def several_clients(bench: Bench, ways: Mapping[str, tuple[str, ...]], definition: str) -> None:
    """In processes of their own; `ways` has for each side its URL, access key, secret key and region."""
    with ExitStack() as stack:
        crews = {
            name: stack.enter_context(driven("submits.py", *way, definition, count=CLIENTS))
            for name, way in ways.items()
        }
        jobs = CLIENTS * TIMES_EACH
        bench.compare(
            f"{jobs} SubmitJob by {CLIENTS} boto3 clients at once, each",
            {name: timed(partial(crew, TIMES_EACH), per=jobs) for name, crew in crews.items()},
        )


def submit_many(batch: Any, definition: str) -> None:
    for _ in range(TIMES):
        batch.submit_job(jobName="bench", jobQueue="default", jobDefinition=definition)
