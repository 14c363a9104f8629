"""How long does a simulation of 1,000,000 jobs take, and how does that grow from 100,000?"""

from __future__ import annotations

from importlib import resources
from random import Random

from benchmarks.harness import Bench, tell, timed
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
    figures = simulate(world(), [submission], work=Random(1), chance=Random(2))
    if figures.succeeded != submission.tasks:
        raise AssertionError(f"{figures.succeeded} of {submission.tasks} succeeded")
    return figures


def run(bench: Bench) -> None:
    turns = bench if bench.full else Bench(rounds=1)
    for what, asked in (("single jobs", single), ("children of arrays of 10,000", arrays)):
        turns.compare(
            f"simulation of {what}",
            {
                f"{MANY:,}": timed(lambda asked=asked: go(asked(MANY))),
                f"{FEW:,}": timed(lambda asked=asked: go(asked(FEW))),
            },
            warm=False,
        )
    figures = go(single(FEW))
    tell("events a job", f"{3 + figures.hosts / FEW:.2f}")
