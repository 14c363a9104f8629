"""Shapes of queues and of money."""

from __future__ import annotations

from nbbatch.jupyter.routes.shapes import Answer, Request


class Environment(Answer, kw_only=True, frozen=True):
    """A compute environment of a queue.

    Parameters
    ----------
    name, type, state, reason : str
        `type` is EC2, SPOT, FARGATE, ...; `state` its status while that is not VALID; `reason` may be empty.
    max_vcpus, provisioned_vcpus, used_vcpus : float or None
        What it may have, has, and gives to jobs now; None where the backend does not tell it.
    hosts : int or None
        How many there are; None where the backend does not tell it.
    """

    name: str
    type: str
    state: str
    reason: str = ""
    max_vcpus: float | None = None
    provisioned_vcpus: float | None = None
    used_vcpus: float | None = None
    hosts: int | None = None


class QueueRow(Answer, kw_only=True, frozen=True):
    """A job queue.

    Parameters
    ----------
    name, state : str
        `state` is ENABLED or DISABLED, or its status while that is not VALID.
    reason : str
        Batch's reason for it; may be empty.
    priority : int
        Higher ones are served first.
    depth : dict of str to int
        Jobs by status that have not ended, children of arrays counted.
    is_depth_exact : bool
        False where numbers mean "that many or more", arrays counted as one.
    blocked : str
        Why its first job does not start; empty where nothing is blocked.
    front : list of str
        Ids of the jobs that are next.
    wanted_vcpus, provisioned_vcpus, used_vcpus : float or None
        Of all its environments; wanted by RUNNABLE jobs. None where the backend does not tell it.
    max_vcpus : float
        Of all its environments.
    environments : list of Environment
        In order of preference.
    """

    name: str
    state: str
    reason: str = ""
    priority: int
    depth: dict[str, int] = {}
    is_depth_exact: bool = True
    blocked: str = ""
    front: list[str] = []
    wanted_vcpus: float | None = None
    provisioned_vcpus: float | None = None
    used_vcpus: float | None = None
    max_vcpus: float = 0.0
    environments: list[Environment] = []


class Queues(Answer, kw_only=True, frozen=True):
    """GET `queues`.

    Parameters
    ----------
    backend : str
        Whose they are.
    queues : list of QueueRow
        By priority, then name.
    """

    backend: str
    queues: list[QueueRow]


class QueueCost(Answer, kw_only=True, frozen=True):
    """What a queue cost on one day (UTC).

    Parameters
    ----------
    day, queue : str
        `2026-01-31`; its name.
    submitted, succeeded, failed, attempts : int
        Jobs and array children; `attempts` that began.
    seconds, cpu_seconds : float
        They ran, and used.
    charged, on_demand, lost, saved : float
        Dollars for their shares of hosts; the same at On-Demand prices; what of it Spot took back; and
        saved = on_demand - lost - charged.
    """

    day: str
    queue: str
    submitted: int
    succeeded: int
    failed: int
    attempts: int
    seconds: float
    cpu_seconds: float
    charged: float
    on_demand: float
    lost: float
    saved: float


class EnvironmentCost(Answer, kw_only=True, frozen=True):
    """What whole hosts of an environment cost on one day (UTC).

    Parameters
    ----------
    day, environment : str
        As in `QueueCost`.
    hosts, used, idle : float
        Dollars: all of them, what jobs held of them, and the rest.
    """

    day: str
    environment: str
    hosts: float
    used: float
    idle: float


class NameCost(Answer, kw_only=True, frozen=True):
    """What the jobs of a name cost.

    Parameters
    ----------
    name : str
        Of the jobs.
    jobs : int
        How many; an array counts as one.
    on_demand, spot, lost : float
        Dollars at On-Demand prices, the same at Spot prices, and what of the first went with lost hosts.
    """

    name: str
    jobs: int
    on_demand: float
    spot: float
    lost: float


class Budget(Answer, kw_only=True, frozen=True):
    """The day's cap.

    Parameters
    ----------
    spent_today : float
        Dollars.
    per_day : float or None
        The cap; None without one.
    is_spent : bool
        Whether jobs wait for tomorrow because of it.
    """

    spent_today: float
    per_day: float | None = None
    is_spent: bool = False


class Costs(Answer, kw_only=True, frozen=True):
    """GET `costs`.

    Parameters
    ----------
    backend : str
        Whose they are.
    today : str
        The day (UTC) that counts as today.
    charged, on_demand, saved, lost, idle : float
        Today's sums in dollars; `idle` is what hosts cost beside jobs, apart from `charged`.
    queues : list of QueueCost
        By day and queue.
    environments : list of EnvironmentCost
        By day and environment.
    names : list of NameCost
        Over all these days, the dearest first.
    named_jobs : int
        How many of the newest jobs these sums are of.
    is_named_exact : bool
        False where there may be older ones that are not in them.
    budget : Budget or None
        None where the backend has none.
    """

    backend: str
    today: str
    charged: float
    on_demand: float
    saved: float
    lost: float
    idle: float
    queues: list[QueueCost] = []
    environments: list[EnvironmentCost] = []
    names: list[NameCost] = []
    named_jobs: int = 0
    is_named_exact: bool = True
    budget: Budget | None = None


class SetBudget(Request, kw_only=True, frozen=True):
    """POST `costs/budget`: the day's cap.

    Parameters
    ----------
    per_day : float or None
        Dollars; None takes it away.
    """

    per_day: float | None = None
