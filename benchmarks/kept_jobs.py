"""Do ListJobs and DescribeJobs cost the same whatever number of finished jobs is kept?

The rows are written by the scheduler and the store themselves, without a process behind each job,
before the daemon starts on them.
"""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

from benchmarks.harness import Bench, home_folder, tell, timed
from benchmarks.m13_simulate import world
from nbbatch.daemon.home import DATABASE
from nbbatch.daemon.store import Store
from nbbatch.model.containers import Container
from nbbatch.model.events import AttemptExited, Event, JobSubmitted
from nbbatch.model.jobs import Job, JobId
from nbbatch.model.resources import Resources
from nbbatch.scheduler.reactor import handle
from nbbatch.scheduler.restore import restore

SIZES = (1_000, 100_000, 1_000_000)
TICK = 2_000
SMALL = Container(image="", resources=Resources(vcpus=1, memory=512))


def run(bench: Bench) -> None:
    for size in SIZES if bench.full else SIZES[:-1]:
        with home_folder() as home:
            fill(home, size)
            measure(bench, size)
            tell("its database", f"{(home / DATABASE).stat().st_size / 2**20:,.0f} MiB")


def fill(home: Path, size: int) -> None:
    """Jobs that were submitted, ran and succeeded, all in queue `q`."""
    place, store = world(), Store.open(home / DATABASE)
    state = restore(store.load(), place.catalogue)
    happened: list[tuple[int, Event]] = []

    def happen(event: Event, now: int) -> None:
        happened.append((now, event))
        handle(state, event, now)

    for event in place.events:
        happen(event, 0)
    for number in range(size):
        job_id = id_of(number)
        job = Job(
            id=job_id,
            name=f"job-{number % 1000}",
            queue="q",
            definition="d:1",
            container=SMALL,
            created_at=number,
        )
        happen(JobSubmitted(job=job), number)
        happen(
            AttemptExited(job_id=job_id, attempt=1, exit_code=0, started_at=number, stopped_at=number), number
        )
        if number % TICK == TICK - 1 or number == size - 1:
            store.commit(happened, state.drain_changes(), state)
            happened.clear()
    store.close()


def id_of(number: int) -> JobId:
    return JobId(str(UUID(int=number)))


def measure(bench: Bench, size: int) -> None:
    from nbbatch.client.backend import get_backend

    os.environ["NBBATCH_EXECUTOR"] = "process"
    batch = get_backend("local").batch
    ids = [id_of(number) for number in range(0, size, size // 100)][:100]
    newest = batch.list_jobs(jobQueue="q", jobStatus="SUCCEEDED", maxResults=100)
    named = [{"name": "JOB_NAME", "values": ["job-7"]}]
    sides = {
        "DescribeJobs of 100 ids": timed(lambda: batch.describe_jobs(jobs=ids)),
        "ListJobs, the newest 100": timed(
            lambda: batch.list_jobs(jobQueue="q", jobStatus="SUCCEEDED", maxResults=100)
        ),
        "ListJobs, the next page": timed(
            lambda: batch.list_jobs(
                jobQueue="q", jobStatus="SUCCEEDED", maxResults=100, nextToken=newest["nextToken"]
            )
        ),
        "ListJobs by name": timed(lambda: batch.list_jobs(jobQueue="q", filters=named)),
        "an empty reply": timed(lambda: batch.describe_jobs(jobs=["0"])),
    }
    if len(batch.describe_jobs(jobs=ids)["jobs"]) != len(ids):
        raise AssertionError("not all jobs are there")
    bench.compare(f"with {size:,} finished jobs", sides)
