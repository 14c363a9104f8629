"""The world at first start: queues `default`, `spot` and `gpu`, sized to this machine.

Their environments have those instance types of AWS's `optimal` (and those with GPUs) that fit this
machine, and one made-up type that is all of it, `local.machine` (with GPUs: `local.gpu`), so that a job as large as the
machine has a host. Hosts are accounting boxes and may add up to more than the machine has: what
really runs at once is the executor's decision.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import nbbatch.model
from nbbatch.model.events import ComputeEnvironmentCreated, Event, JobQueueCreated
from nbbatch.model.fleet import (
    AGENT_RESERVE,
    DEFAULT_FAMILIES,
    Catalogue,
    ComputeEnvironment,
    InstanceType,
    JobQueue,
    parse_catalogue,
)
from nbbatch.model.resources import Resources
from nbbatch.scheduler.fleet import KERNEL_SHARE, MACHINE_TYPES, usable
from nbbatch.wire.decode_environment import environment_uuid

WHOLE_GPU_MACHINE, WHOLE_MACHINE = MACHINE_TYPES
OVERSUBSCRIPTION = 4
"""vCPUs of an environment's hosts for each core, so that the next jobs are placed in time."""
LEAST_VCPUS = 8
_log = logging.getLogger(__name__)
_CATALOGUE = Path(nbbatch.model.__file__).with_name("instance_types.json")


def local_catalogue(machine: Resources, refreshed: Path | None = None) -> Catalogue:
    """The catalogue that is shipped, and the type or types that are this whole machine.

    Parameters
    ----------
    refreshed : Path, optional
        A file of newer prices; one that cannot be read is left aside, and the journal says so.
    """
    shipped = parse_catalogue(_CATALOGUE.read_text(encoding="utf-8"))
    if refreshed is not None and refreshed.exists():
        try:
            shipped = shipped.updated(parse_catalogue(refreshed.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("Prices in %s cannot be read, so the shipped ones hold: %r", refreshed, error)
    nominal = _nominal(machine)
    own = [_whole(shipped, WHOLE_MACHINE, replace(nominal, gpus=0))]
    if machine.gpus:
        own.append(_whole(shipped, WHOLE_GPU_MACHINE, nominal))
    return replace(shipped, types={**shipped.types, **{kind.name: kind for kind in own}})


def default_world(machine: Resources, catalogue: Catalogue) -> list[Event]:
    """What happens first in a new home.

    Parameters
    ----------
    machine : Resources
        What this machine gives to jobs.
    catalogue : Catalogue
        As `local_catalogue` made it.
    """
    plain = _fitting(catalogue, replace(machine, gpus=0))
    with_gpus = _fitting(catalogue, machine) if machine.gpus else ()
    vcpus = max(LEAST_VCPUS, math.ceil(OVERSUBSCRIPTION * machine.vcpus))
    environments = [
        ComputeEnvironment(name="default", max_vcpus=vcpus, instance_types=plain),
        ComputeEnvironment(name="spot", resource_type="SPOT", max_vcpus=vcpus, instance_types=plain),
        ComputeEnvironment(name="gpu", max_vcpus=vcpus, instance_types=with_gpus),
    ]
    environments = [replace(known, uuid=environment_uuid(known.name)) for known in environments]
    events: list[Event] = [ComputeEnvironmentCreated(environment=known) for known in environments]
    queues = [JobQueue(name=known.name, priority=1, environments=(known.name,)) for known in environments]
    return [*events, *(JobQueueCreated(queue=queue) for queue in queues)]


def _fitting(catalogue: Catalogue, machine: Resources) -> tuple[str, ...]:
    """Names of the types with as many or no GPUs that this machine can really give."""
    return tuple(
        kind.name
        for kind in _usual(catalogue)
        if usable(kind.resources).fits(machine) and bool(kind.resources.gpus) == bool(machine.gpus)
    )


def _usual(catalogue: Catalogue) -> list[InstanceType]:
    """The families that AWS takes by itself, those with GPUs, and what is this machine."""
    families = (*DEFAULT_FAMILIES["optimal"], "local")
    return [kind for kind in catalogue.types.values() if kind.family in families or kind.resources.gpus]


def _nominal(machine: Resources) -> Resources:
    """A host of this nominal size offers what the machine has."""
    memory = math.ceil((machine.memory + AGENT_RESERVE) / KERNEL_SHARE)
    offered = usable(replace(machine, memory=memory)).memory
    return replace(machine, memory=memory + machine.memory - offered)


def _whole(catalogue: Catalogue, name: str, nominal: Resources) -> InstanceType:
    """A type of this size at the price of the cheapest one that holds it, or pro rata above all."""
    holding = [kind for kind in _usual(catalogue) if nominal.fits(kind.resources)]
    if holding:
        cheapest = min(holding, key=lambda kind: kind.price)
        return replace(cheapest, name=name, resources=nominal)
    measure = catalogue.types["g5.xlarge" if nominal.gpus else "m6i.large"]
    share = max(
        nominal.vcpus / measure.resources.vcpus,
        nominal.memory / measure.resources.memory,
        nominal.gpus / (measure.resources.gpus or 1),
    )
    return InstanceType(
        name=name, resources=nominal, price=measure.price * share, spot_price=measure.spot_price * share
    )
