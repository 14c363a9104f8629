"""From options and a payload to AWS Batch requests: pure, no call is made here.

A job definition holds only what cannot be overridden at SubmitJob: image, mounts, user, temporary
space. Its name is derived from that content, so one definition serves all jobs that look alike, is
registered once, and is found again by name. All that differs per job (command, environment,
resources, timeout, retries) goes into the overrides.

The local backend's own image is empty: the definition mounts this machine's system folders and the
kernel's Python read-only into it, so a cell meets the packages it would have met here. The kernel's
working directory is among them: its modules can be imported, its files read by absolute path. The
job itself starts in an empty scratch folder, as on AWS: a relative path that would fail there does
not work here by accident, and children of an array do not write over each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from nbbatch.client.options import Options
from nbbatch.errors import OptionError
from nbbatch.model.resources import NOTHING, Resources

HOST_IMAGE = "nbbatch/host"
"""An image made of nothing; the definition mounts this machine's own folders into it."""
DEFAULT_RESOURCES = Resources(vcpus=1, memory=2048)
OWN_NAME = re.compile(r"nbbatch-.*-[0-9a-f]{8}")
"""Names of the definitions that are made here."""
BUNDLE_VARIABLE = "NBBATCH_BUNDLE"
SCRIPT_VARIABLE = "NBBATCH_SCRIPT"
"""Marks a job that runs a script or a program, whose handle gives exit code and output."""
LONGEST_OVERRIDES = 8192
"""Bytes of JSON that ECS takes as container overrides; a longer one fails at dispatch, unseen."""
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/etc", "/opt")
"""What a Python installation may link to; /sbin stays the image's own, Docker puts its init there."""
_NEVER_MOUNTED = ("/", "/proc", "/sys", "/dev", "/tmp", "/run", "/var", "/var/tmp")  # noqa: S108 - paths, not files
_TMPFS = {
    "containerPath": "/tmp",  # noqa: S108 - a mount point
    "size": 65536,
    "mountOptions": ["rw", "exec", "nosuid", "nodev", "mode=1777"],
}
MAX_COST_TAG = "nbbatch:maxCost"
"""Tag by which a job tells the local backend what it may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One job as it will be submitted.

    Parameters
    ----------
    options : Options
        With the backend's defaults already in them.
    name : str
        The job's name.
    command : sequence of str
        What the container runs; `Ref::` placeholders are not used.
    environment : mapping of str to str
        The user's variables and the payload's own.
    bundle : str
        URL of the job's bundle, empty for a command without one.
    size : int or None
        Number of array children, 2..10000; None for a single job.
    depends_on : sequence of mapping
        SubmitJob's `dependsOn`, made of the options' `depends` by `nbbatch.client.pipelines.dependencies`.
    """

    options: Options
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    bundle: str = ""
    size: int | None = None
    depends_on: Sequence[Mapping[str, str]] = ()

    def submission(self, definition: str) -> dict[str, Any]:
        """SubmitJob's parameters, with the definition as `name:revision` or ARN.

        Raises
        ------
        OptionError
            When command and environment are longer than ECS takes.
        """
        options = self.options
        request: dict[str, Any] = {
            "jobName": self.name,
            "jobQueue": queue_of(options),
            "jobDefinition": definition,
            "containerOverrides": self._overrides(),
        }
        if self.size is not None:
            request["arrayProperties"] = {"size": self.size}
        if self.depends_on:
            request["dependsOn"] = [dict(one) for one in self.depends_on]
        if options.retries is not None:
            request["retryStrategy"] = {"attempts": options.retries + 1}
        if options.timeout is not None:
            request["timeout"] = {"attemptDurationSeconds": options.timeout}
        if options.share is not None:
            request["shareIdentifier"] = options.share
        if options.priority is not None:
            request["schedulingPriorityOverride"] = options.priority
        if options.tags:
            request["tags"] = dict(options.tags)
        if options.max_cost is not None:
            request["tags"] = {**options.tags, MAX_COST_TAG: repr(options.max_cost)}
        return request

    def _overrides(self) -> dict[str, Any]:
        variables = {**self.environment, **({BUNDLE_VARIABLE: self.bundle} if self.bundle else {})}
        return _overrides(self.command, variables, requirements(self.options))


def _overrides(
    command: Sequence[str], variables: Mapping[str, str], wanted: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    overrides: dict[str, Any] = {
        "command": list(command),
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
    }
    if wanted:
        overrides["resourceRequirements"] = list(wanted)
    if (length := len(json.dumps(overrides))) > LONGEST_OVERRIDES:
        raise OptionError(
            f"Command and environment take {length} bytes; AWS Batch runs no more than {LONGEST_OVERRIDES}.",
            cure="Send long values as inputs, not in the environment.",
        )
    return overrides


def queue_of(options: Options) -> str:
    """The job queue: the one asked for, else the default world's queue for this kind of job."""
    if options.queue:
        return options.queue
    if options.gpus:
        return "gpu"
    return "spot" if options.spot else "default"


def resources_of(options: Options) -> Resources:
    """What one attempt will be given when the definition is one of ours."""
    return Resources(
        vcpus=DEFAULT_RESOURCES.vcpus if options.vcpus is None else options.vcpus,
        memory=DEFAULT_RESOURCES.memory if options.memory is None else options.memory,
        gpus=options.gpus or 0,
    )


def requirements(options: Options) -> list[dict[str, str]]:
    """`resourceRequirements` of the override: only what was asked for."""
    wanted = Resources(vcpus=options.vcpus or 0, memory=options.memory or 0, gpus=options.gpus or 0)
    return _requirements(wanted)


def _requirements(wanted: Resources) -> list[dict[str, str]]:
    if wanted == NOTHING:
        return []
    amounts = {"VCPU": f"{wanted.vcpus:g}", "MEMORY": str(wanted.memory), "GPU": str(wanted.gpus)}
    return [{"type": kind, "value": amount} for kind, amount in amounts.items() if amount != "0"]


def host_definition(*, folders: Sequence[str], user: str, path: str = "") -> dict[str, Any]:
    """RegisterJobDefinition's parameters for jobs in this machine's own Python environment.

    Parameters
    ----------
    folders : sequence of str
        What to mount read-only at the same path; see `mounted_folders`.
    user : str
        `uid:gid` of the person, who then owns what the job writes.
    path : str
        Where the job looks for programs, unless its own variables say it; empty for the daemon's.
    """
    variables = {"environment": [{"name": "PATH", "value": path}]} if path else {}
    volumes = [f"v{number}" for number, _ in enumerate(folders)]
    named = list(zip(volumes, folders, strict=True))
    return _definition(
        "host",
        {
            "image": HOST_IMAGE,
            "user": user,
            "volumes": [{"name": name, "host": {"sourcePath": folder}} for name, folder in named],
            "mountPoints": [
                {"sourceVolume": name, "containerPath": folder, "readOnly": True} for name, folder in named
            ],
            "linuxParameters": {"initProcessEnabled": True, "tmpfs": [_TMPFS]},
            **variables,
        },
    )


def image_definition(
    image: str,
    *,
    user: str | None,
    container: Mapping[str, Any] = MappingProxyType({}),
    members: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """RegisterJobDefinition's parameters for jobs in a named image.

    Parameters
    ----------
    image : str
        Its name, as Docker or ECS fetches it.
    user : str or None
        `uid:gid` where the job writes into a bundle on this machine, None to keep the image's.
    container, members : mapping
        Further `containerProperties`, such as roles, and further members of the request.
    """
    own = {"image": image} | ({"user": user} if user else {})
    return _definition(_slug(image), {**own, **container}, members)


def _definition(
    label: str, container: Mapping[str, Any], members: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    container = {**container, "resourceRequirements": _requirements(DEFAULT_RESOURCES)}
    digest = sha256(json.dumps({**container, **members}, sort_keys=True).encode()).hexdigest()[:8]
    return {
        "jobDefinitionName": f"nbbatch-{label}-{digest}",
        "type": "container",
        "containerProperties": container,
        **members,
    }


def job_name(text: str) -> str:
    """A valid job name that resembles the text, such as a function's or a notebook's name."""
    return _slug(text).lstrip("-_") or "job"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:100]


def mounted_folders(
    *, system: Iterable[str], python: Iterable[str], working_directory: str
) -> tuple[str, ...]:
    """Which folders the host image needs: the given ones without those inside another one.

    Temporary and kernel folders (`/tmp`, `/proc`, ...) are never mounted as a whole; the container
    has its own.

    Parameters
    ----------
    system, python : iterable of str
        Folders that exist: of the system, and of the kernel's Python (prefixes, `sys.path`).
    working_directory : str
        The kernel's.
    """
    wanted = {str(PurePosixPath(path)) for path in (*system, *python, working_directory)}
    wanted -= set(_NEVER_MOUNTED)
    return tuple(
        sorted(path for path in wanted if not any(str(up) in wanted for up in PurePosixPath(path).parents))
    )


def resubmission(
    detail: Mapping[str, Any], *, environment: Mapping[str, str], size: int | None
) -> dict[str, Any]:
    """SubmitJob's parameters for the same job again.

    Parameters
    ----------
    detail : mapping
        DescribeJobs' answer about the job to repeat, a single one or an array's parent.
    environment : mapping of str to str
        Variables set in addition to, or instead of, those it had.
    size : int or None
        Number of array children now, None for a single job.
    """
    container = detail.get("container") or {}
    variables = {one["name"]: one.get("value", "") for one in container.get("environment") or ()}
    request: dict[str, Any] = {
        "jobName": detail["jobName"],
        "jobQueue": detail["jobQueue"],
        "jobDefinition": detail["jobDefinition"],
        "containerOverrides": _overrides(
            container.get("command") or (),
            {**variables, **environment},
            container.get("resourceRequirements") or (),
        ),
    }
    same = {
        "parameters": "parameters",
        "timeout": "timeout",
        "retryStrategy": "retryStrategy",
        "shareIdentifier": "shareIdentifier",
        "schedulingPriority": "schedulingPriorityOverride",
        "tags": "tags",
    }
    request |= {theirs: detail[mine] for mine, theirs in same.items() if detail.get(mine)}
    return request | ({"arrayProperties": {"size": size}} if size else {})
