"""CreateComputeEnvironment, UpdateComputeEnvironment, DeleteComputeEnvironment, and interruptions.

What the JSON alone can tell was checked when it was read; here is what needs the state: names, queues
that use an environment, the hosts it has, and the catalogue of instance types.
"""

from __future__ import annotations

from collections.abc import Callable

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of
from nbbatch.model.events import (
    ComputeEnvironmentCreated,
    ComputeEnvironmentDeleted,
    ComputeEnvironmentUpdated,
    Event,
    HostInterrupted,
)
from nbbatch.model.fleet import ComputeEnvironment, HostId, ResourceStatus, Switch
from nbbatch.model.jobs import ACTIVE
from nbbatch.scheduler.hosts import EnvironmentState
from nbbatch.scheduler.state import SchedulerState

MAX_ENVIRONMENTS = 50
_BUSY = (ResourceStatus.UPDATING, ResourceStatus.DELETING)

Amend = Callable[[ComputeEnvironment], ComputeEnvironmentUpdated]
"""Reads a request for a change against the environment as it is."""


def create_environment(
    state: SchedulerState, environment: ComputeEnvironment
) -> tuple[list[Event], ComputeEnvironment]:
    """Make a compute environment; it is VALID at once.

    Raises
    ------
    ClientException
        When the name is taken, no instance type is known, or there are too many environments.
    """
    if environment.name in state.environments:
        raise ClientException(f"Object already exists: compute environment {environment.name}")
    if len(state.environments) >= MAX_ENVIRONMENTS:
        raise ClientException(f"The limit of {MAX_ENVIRONMENTS} compute environments is reached.")
    _check_types(state, environment)
    return [ComputeEnvironmentCreated(environment=environment)], environment


def update_environment(
    state: SchedulerState, reference: str, amend: Amend
) -> tuple[list[Event], ComputeEnvironment]:
    """Change a compute environment.

    Parameters
    ----------
    reference : str
        Its name or ARN.
    amend : callable
        Makes the event out of the environment as it is.

    Raises
    ------
    ClientException
        When there is no such environment, it is being changed already, or it would have to shrink by
        hand; in AWS's words where they are known.
    """
    known = _resolve(state, reference)
    if known.environment.status in _BUSY:
        raise ClientException("Cannot update, resource is being modified.")
    event = amend(known.environment)
    wanted = event.environment
    if event.desired_vcpus is not None and event.desired_vcpus < known.provisioned:
        raise ClientException(
            "Manually scaling down compute environment is not supported.  Disconnecting job queues from "
            "compute environment will cause it to scale-down to minvCpus."
        )
    if wanted.max_vcpus < min(known.provisioned, known.environment.max_vcpus) and not wanted.is_fargate:
        raise ClientException("desiredvCpus should be between minvCpus and maxvCpus.")
    _check_types(state, wanted)
    return [event], wanted


def delete_environment(state: SchedulerState, reference: str) -> tuple[list[Event], None]:
    """Let a compute environment go that is DISABLED and in no queue; an unknown one is gone already.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    known = state.environments.get(name_of(reference, "compute-environment"))
    if known is None:
        return [], None
    name = known.environment.name
    if known.environment.status in _BUSY:
        raise ClientException("Cannot delete, resource is being modified.")
    if known.environment.state is not Switch.DISABLED:
        raise ClientException(f"Cannot delete, compute environment {name} is ENABLED: disable it first.")
    if any(name in queue.queue.environments for queue in state.queues.values()):
        raise ClientException("Cannot delete, found existing JobQueue relationship")
    return [ComputeEnvironmentDeleted(name=name)], None


def interrupt(
    state: SchedulerState, target: str, notice_seconds: float | None = None
) -> tuple[list[Event], list[str]]:
    """Have hosts reclaimed, as Spot does.

    Parameters
    ----------
    target : str
        Id of a host, of a running job or child, or an instance type: all Spot hosts of that pool.
    notice_seconds : float, optional
        Until the end; what the environment says when left out.

    Returns
    -------
    list of Event, list of str
        What follows, and the ids of the hosts.

    Raises
    ------
    ClientException
        When nothing that runs is meant.
    """
    hosts = _hosts_meant(state, target)
    if not hosts:
        raise ClientException(
            f"{target} is no host, no job that runs on one, and no instance type of a Spot host; "
            "DescribeJobs names the hosts of jobs."
        )
    return [HostInterrupted(host=host, notice_seconds=notice_seconds) for host in hosts], list(hosts)


def _hosts_meant(state: SchedulerState, target: str) -> list[HostId]:
    found = state.find(target)
    if found is not None:
        live, index = found
        if live.children is not None and index is None:
            runs = [run for run in live.children.runs.values() if run.status in ACTIVE]
        else:
            runs = [state.run_of(live, index)]
        return list(dict.fromkeys(HostId(run.host) for run in runs if run.host is not None))
    hosts = [host.host for known in state.environments.values() for host in known.hosts.values()]
    return [host.id for host in hosts if host.id == target or (host.is_spot and host.instance_type == target)]


def _resolve(state: SchedulerState, reference: str) -> EnvironmentState:
    known = state.environments.get(name_of(reference, "compute-environment"))
    if known is None:
        there = ", ".join(sorted(state.environments)) or "none"
        raise ClientException(f"Compute environment {reference} does not exist; there are: {there}")
    return known


def _check_types(state: SchedulerState, environment: ComputeEnvironment) -> None:
    wanted = environment.instance_types
    known = state.catalogue.expand(wanted)
    if wanted and not known:
        families = sorted({kind.family for kind in state.catalogue.types.values()})
        raise ClientException(
            f"instanceTypes: nbbatch knows none of {', '.join(wanted)}; its catalogue has {', '.join(families)}."
        )
    if len({kind.architecture for kind in known}) > 1:
        raise ClientException("arm-based instance type cannot be used with other instance types")
