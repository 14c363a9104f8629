"""How long does a simulation of 1,000,000 jobs take, and how does that grow from 100,000?"""

from __future__ import annotations

import time
from importlib import resources
from random import Random

from benchmarks.harness import Bench, Side, tell
from nbbatch.client.simulation.simulate import rare_collections
from nbbatch.model.events import ComputeEnvironmentCreated, JobQueueCreated
from nbbatch.model.fleet import ComputeEnvironment, JobQueue, parse_catalogue
from nbbatch.scheduler.figures import Figures
from nbbatch.scheduler.simulate import World, simulate
from nbbatch.scheduler.workload import Lognormal, Submission

MANY, FEW = 1_000_000, 100_000
CHILDREN = 10_000
VCPUS = 4096
MEAN_SECONDS = 68.0
LENGTHS = Lognormal(median=60, sigma=0.5)


def world(vcpus: int = VCPUS) -> World:
    """Hosts of 16 vCPUs each, one queue."""
    shipped = resources.files("nbbatch.model").joinpath("instance_types.json").read_text("utf-8")
    environment = ComputeEnvironment(name="ce", max_vcpus=vcpus, instance_types=("m6i.4xlarge",))
    return World(
        events=(
            ComputeEnvironmentCreated(environment=environment),
            JobQueueCreated(queue=JobQueue(name="q", priority=1, environments=("ce",))),
        ),
        catalogue=parse_catalogue(shipped),
    )


def single(count: int) -> Submission:
    """Single jobs, submitted as fast as the world can run them."""
    return Submission(queue="q", durations=LENGTHS, count=count, every=MEAN_SECONDS / VCPUS)


def arrays(count: int) -> Submission:
    """Arrays of 10,000, all at once."""
    return Submission(queue="q", durations=LENGTHS, count=count // CHILDREN, size=CHILDREN)


def go(submission: Submission) -> Figures:
    with rare_collections():  # as nbbatch.simulate does
        figures = simulate(world(), [submission], work=Random(1), chance=Random(2))
    if figures.succeeded != submission.tasks:
        raise AssertionError(f"{figures.succeeded} of {submission.tasks} succeeded")
    return figures


def processor_time(submission: Submission) -> Side:
    """A side that takes the milliseconds of processor time of a simulation."""

    def side() -> float:
        began = time.process_time()
        go(submission)
        return (time.process_time() - began) * 1000

    return side


def run(bench: Bench) -> None:
    turns = bench if bench.full else Bench(rounds=1)
    print("  processor time: one simulation is one thread, and neighbours on the machine do not count")
    for what, asked in (("single jobs", single), ("children of arrays of 10,000", arrays)):
        turns.compare(
            f"simulation of {what}",
            {
                f"{MANY:,}": processor_time(asked(MANY)),
                f"{FEW:,}": processor_time(asked(FEW)),
            },
            warm=False,
        )
    figures = go(single(FEW))
    tell("events a job", f"{3 + figures.hosts / FEW:.2f}")
