"""A private network for each attempt of a multi-node job, so that its nodes reach their main node.

It is made with the main node's container, named after its attempt, and labelled as the daemon's; it
goes when the last of its nodes is forgotten. What a killed daemon has left is removed at the next
connection. The address that the other nodes are told is read from the main node's container when
theirs is made: nobody has to keep it, and it is right after any restart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from nbbatch.daemon.executors.docker_errors import EngineRefusedError
from nbbatch.daemon.executors.docker_spec import DAEMON_LABEL, Placement, container_name
from nbbatch.errors import CouldNotStartError
from nbbatch.model.events import StartAttempt

if TYPE_CHECKING:
    from nbbatch.daemon.executors.docker_engine import Engine

LOOPBACK = "127.0.0.1"
"""Where nodes meet that share the host's network."""


def gang_network_of(order: StartAttempt) -> str | None:
    """Name of the network of an attempt's gang; None for what is no node."""
    return None if order.gang is None else container_name(order.gang.main, order.attempt)


def enter_gang(engine: Engine, order: StartAttempt, placement: Placement) -> tuple[StartAttempt, Placement]:
    """What a node's container is to be made of: in its gang's network, and told of its main node.

    Raises
    ------
    CouldNotStartError
        When the network cannot be made, or the main node is gone.
    """
    name = gang_network_of(order)
    if name is None:
        return order, placement
    if placement.network == "host":
        return (order.told_main_node(LOOPBACK) if order.follows_main else order), placement
    placement = replace(placement, gang_network=name)
    if order.follows_main:
        return order.told_main_node(_main_address(engine, name)), placement
    try:
        engine.make_network(name, {DAEMON_LABEL: placement.daemon_id})
    except EngineRefusedError as refusal:
        raise CouldNotStartError(f"CannotCreateContainerError: {refusal.words}") from refusal
    return order, placement


def _main_address(engine: Engine, name: str) -> str:
    """The main node's container has the name of the network."""
    details = engine.inspect(name)
    networks = {} if details is None else details["NetworkSettings"]["Networks"]
    address: str = networks.get(name, {}).get("IPAddress", "")
    if not address:
        raise CouldNotStartError("CannotStartContainerError: the main node of the job is gone")
    return address


def networks(engine: Engine, label: str) -> list[str]:
    """Names of the networks that carry a label."""
    return engine.networks(label)


def remove_network(engine: Engine, name: str) -> None:
    """Remove a network; one that is not there is as good as removed."""
    engine.remove_network(name)


class GangNetworks:
    """Which networks are in use, by how many attempts; belongs to the asyncio thread."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()

    def __contains__(self, name: str) -> bool:
        return name in self._uses

    def enter(self, order: StartAttempt) -> None:
        """An attempt became known."""
        name = gang_network_of(order)
        if name is not None:
            self._uses[name] += 1

    def leave(self, order: StartAttempt) -> str | None:
        """An attempt is forgotten; gives the network that nobody uses any more."""
        name = gang_network_of(order)
        if name is None:
            return None
        self._uses[name] -= 1
        if self._uses[name]:
            return None
        del self._uses[name]
        return name
