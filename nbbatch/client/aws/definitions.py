"""What a job needs on AWS besides its payload: a queue, one of its hosts' sizes, a definition.

A queue's environments decide whether jobs run on EC2 or on Fargate, and Fargate has sizes of its own.
Definitions are registered once by content, as on this machine; see `definitions.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from nbbatch.client.backend import Backend
from nbbatch.client.capacity import Capacity, capacity_of, catalogue, queue_names
from nbbatch.client.config import BackendConfig
from nbbatch.client.options import Options
from nbbatch.client.spec import image_definition, queue_of, resources_of
from nbbatch.errors import ConfigurationError, DoesNotFitError, NotOnAwsError, OptionError
from nbbatch.model.fargate import SIZES
from nbbatch.model.resources import Resources


class Account(Backend, Protocol):
    """A backend that knows its account's roles."""

    def role_arn(self, role: str) -> str:
        """ARN of a role given by name or ARN."""


def suited(backend: Backend, settings: BackendConfig, options: Options) -> Options:
    """The options with the queue they mean and, on Fargate, the next size that there is.

    Parameters
    ----------
    backend, settings : Backend, BackendConfig
        The backend and what the configuration says of it.
    options : Options
        With defaults.

    Raises
    ------
    NotOnAwsError
        An option only the local daemon can follow.
    OptionError
        No image is known, or several queues would do and none is named.
    UnknownNameError
        There is no such queue.
    DoesNotFitError
        Fargate has no such size.
    """
    if options.max_cost is not None:
        raise NotOnAwsError(
            "max_cost is watched by the local daemon; AWS stops no job for what it costs.",
            cure="Give a timeout instead, and set a budget in AWS Budgets.",
        )
    if not (options.image or options.definition):
        raise OptionError(
            f"Backend {backend.name!r} needs an image: its jobs cannot see this machine's Python.",
            cure=f'Give image=..., or write image = "..." in [backends.{backend.name}].',
        )
    options = replace(options, queue=options.queue or choose_queue(backend, settings.queue, options))
    capacity = capacity_of(backend, queue_of(options))
    return _sized(options) if capacity.is_fargate and not options.definition else options


def choose_queue(backend: Backend, configured: str | None, options: Options) -> str:
    """The job queue for a job that names none: the configured one, else the only one that would do.

    Raises
    ------
    OptionError
        When none or several would; lists them.
    """
    if configured and options.spot is None and not options.gpus:
        return configured
    names = queue_names(backend)
    fitting = [name for name in names if _would_do(capacity_of(backend, name), options)]
    if configured in fitting:
        return str(configured)
    if len(fitting) == 1:
        return fitting[0]
    asked = "".join([" with GPUs" if options.gpus else "", _SPOT[options.spot]])
    raise OptionError(
        f"Backend {backend.name!r} has {len(fitting) or 'no'} queue{'s' * (len(fitting) != 1)}{asked}: "
        f"{', '.join(fitting or names) or 'none at all'}.",
        cure=f'Name one: queue=..., or queue = "..." in [backends.{backend.name}].',
    )


_SPOT = {None: "", True: " on Spot", False: " on demand"}


def _would_do(capacity: Capacity, options: Options) -> bool:
    return (options.spot is None or capacity.is_spot == options.spot) and (
        not options.gpus or any(kind.resources.gpus for kind in catalogue().expand(capacity.instance_types))
    )


def _sized(options: Options) -> Options:
    """The next size of Fargate that holds what is asked for."""
    wanted = resources_of(options)
    sizes = [Resources(vcpus=vcpus, memory=memory) for vcpus, row in SIZES.items() for memory in row]
    fitting = [size for size in sizes if wanted.fits(size)]
    if not fitting:
        raise DoesNotFitError(
            f"Fargate has no size with {wanted.vcpus:g} vCPU, {wanted.memory} MiB and {wanted.gpus} GPUs.",
            cure="Ask for less, or name a queue on EC2.",
        )
    size = min(fitting, key=lambda size: (size.vcpus, size.memory))
    return replace(options, vcpus=size.vcpus, memory=size.memory)


def definition_request(backend: Account, settings: BackendConfig, options: Options) -> dict[str, Any]:
    """RegisterJobDefinition's parameters for an image on the queue's kind of hosts.

    Raises
    ------
    ConfigurationError
        Fargate needs an execution role, and none is named.
    """
    container: dict[str, Any] = {}
    if settings.job_role:
        container["jobRoleArn"] = backend.role_arn(settings.job_role)
    if settings.execution_role:
        container["executionRoleArn"] = backend.role_arn(settings.execution_role)
    if settings.log_group:
        told = {"awslogs-group": settings.log_group, "awslogs-region": backend.region}
        container["logConfiguration"] = {"logDriver": "awslogs", "options": told}
    members: dict[str, Any] = {"platformCapabilities": ["EC2"]}
    if capacity_of(backend, queue_of(options)).is_fargate:
        container |= _on_fargate(backend, settings)
        members = {"platformCapabilities": ["FARGATE"]}
    return image_definition(str(options.image), user=None, container=container, members=members)


def _on_fargate(backend: Backend, settings: BackendConfig) -> Mapping[str, Any]:
    """A public address lets a task in a public subnet fetch its image; a private one does not mind it."""
    if not settings.execution_role:
        raise ConfigurationError(
            f"Backend {backend.name!r} names no execution_role, which Fargate needs to fetch images and write logs.",
            cure=f'Write execution_role = "ecsTaskExecutionRole" (or yours) in [backends.{backend.name}].',
        )
    return {"networkConfiguration": {"assignPublicIp": "ENABLED"}}
