"""The event log of a daemon that ran real processes, replayed and simulated by the scheduler alone."""

from __future__ import annotations

from random import Random

import pytest

from nbbatch.client.daemon_process import stop_by_signal
from nbbatch.client.jobs import Job
from nbbatch.daemon.app import DATABASE
from nbbatch.daemon.defaults import local_catalogue
from nbbatch.daemon.machine import this_machine
from nbbatch.daemon.store import Store
from nbbatch.model.events import ComputeEnvironmentCreated, JobQueueCreated
from nbbatch.model.resources import Resources
from nbbatch.scheduler.restore import restore
from nbbatch.scheduler.simulate import World, replay, simulate
from nbbatch.scheduler.state import SchedulerState
from nbbatch.scheduler.virtual import Conditions
from nbbatch.scheduler.workload import workload_of

CHILDREN = 6
NAP = 0.4


def run_naps(backend) -> Job:
    """An array of naps and a job after it, to their end."""
    properties = {
        "image": "none",
        "command": ["sh", "-c", f"sleep {NAP}"],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
    }
    backend.batch.register_job_definition(
        jobDefinitionName="nap", type="container", containerProperties=properties
    )
    array = backend.batch.submit_job(
        jobName="naps", jobQueue="default", jobDefinition="nap", arrayProperties={"size": CHILDREN}
    )
    last = backend.batch.submit_job(
        jobName="last", jobQueue="default", jobDefinition="nap", dependsOn=[{"jobId": array["jobId"]}]
    )
    job = Job(last["jobId"], backend=backend.name)
    assert job.wait(120)
    assert job.status == "SUCCEEDED"
    return job


def test_a_daemons_event_log_is_replayed_and_simulated(daemon, home):
    """The log leads to the state of the rows and to true figures; as a workload it takes as long again."""
    detail = run_naps(daemon).detail()
    room = Resources(**daemon.private("status", {})["room"])
    stop_by_signal(home)
    store = Store.open(home / DATABASE)
    try:
        events, snapshot = list(store.events()), store.load()
    finally:
        store.close()
    catalogue = local_catalogue(this_machine())

    state = SchedulerState(catalogue=catalogue, seed=snapshot.seed)
    told = replay(state, events)
    state.validate()
    kept = restore(snapshot, catalogue)
    assert (state.jobs, state.sequence, state.host_count) == (kept.jobs, kept.sequence, kept.host_count)
    assert (told.jobs, told.succeeded, told.unfinished) == (CHILDREN + 1, CHILDREN + 1, 0)
    assert told.makespan >= 2 * NAP
    last = next(group for group in told.groups if group.queue == "default")
    assert last.last_end == told.makespan
    assert told.wait.longest == pytest.approx((detail["startedAt"] - detail["createdAt"]) / 1000, abs=0.001)

    created = [event for _, event in events if isinstance(event, ComputeEnvironmentCreated | JobQueueCreated)]
    world = World(events=tuple(created), catalogue=catalogue, conditions=Conditions(machine=room))
    again = simulate(world, workload_of(events), work=Random(1), chance=Random(2))
    assert (again.jobs, again.succeeded) == (told.jobs, told.succeeded)
    assert again.used_vcpu_hours == pytest.approx(told.used_vcpu_hours, rel=0.01)
    assert again.makespan <= told.makespan, "a simulation has no overhead"
    assert again.makespan >= 0.99 * 3600 * told.used_vcpu_hours / room.vcpus, "nor more room than there is"
