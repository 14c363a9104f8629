"""`nbbatch.simulate` tells how long it would take, how long jobs would wait, and what it would cost.

The answer comes from the scheduler that runs local jobs, under a virtual clock: nothing is submitted
and nothing is started. Reading workloads is `client/simulation/workloads.py`, reading worlds `client/simulation/worlds.py`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from nbbatch.client.simulation.workloads import read_workload
from nbbatch.client.simulation.worlds import read_worlds
from nbbatch.errors import OptionError
from nbbatch.scheduler.simulate import simulate as run

if TYPE_CHECKING:
    from nbbatch.client.simulation.forecast import Forecast
    from nbbatch.scheduler.figures import Figures
    from nbbatch.scheduler.simulate import World
    from nbbatch.scheduler.workload import Submission


def simulate(workload: Any, worlds: Any = "local", *, seeds: int | Iterable[int] = 5) -> Forecast:
    """Simulate a workload in candidate worlds.

    Parameters
    ----------
    workload : Job, ArrayJob, DataFrame, mapping, or list of jobs, arrays and mappings
        A job or array that has run: the same again, as long as it was measured. A row (of a DataFrame,
        or a mapping) has `seconds`, how long an attempt runs: a number or text (`90`, `"2m"`), a list
        or a job that has run to draw from, or a distribution such as
        `{"lognormal": {"median": 60, "sigma": 0.5}}` (`fixed`, `uniform`, `exponential`, `empirical`,
        `measured`). Besides `jobs` (how many, 1), `array` (its size; none: single jobs), `at` and
        `every` (seconds until the first, and between two), `queue` (`default`), `vcpus` (1), `memory`
        (`2G`), `gpus`, `name`, `share`, `priority`, `retries`, `timeout`, `failure` (probability of an
        attempt's), `exit_code`, and `after` (numbers of rows before that must succeed first).
    worlds : str, list of str, or mapping of str to settings or str
        A backend's name (`"local"`, or one of your configuration, of kind aws too) stands for the
        environments and queues that its Describe calls show. Settings are `max_vcpus` (256),
        `min_vcpus`, `instance_types` (`optimal`), `type` (EC2, SPOT, FARGATE, FARGATE_SPOT) or `spot`
        (True or False), `allocation_strategy`, `interruptions_per_hour` (of each Spot host), `launch_seconds`,
        `start_seconds`, `stop_seconds`, `idle_seconds`, `machine` ((vCPUs, memory) of one machine
        behind all hosts), and `like`: a backend whose world is taken, with these changes.
    seeds : int or iterable of int
        How many, or which. The same seed draws the same work in every world.

    Returns
    -------
    Forecast
        A DataFrame with a row per world and seed; `.summary()` has the spread over the seeds,
        `.groups` the figures by queue and share identifier. Seconds and dollars.

    Raises
    ------
    OptionError
        When workload, worlds or seeds cannot be; says which value and what to do.
    UserError
        When a job that is to be measured has not run.
    BackendError
        When a backend that is asked does not answer.

    Examples
    --------
    >>> nbbatch.simulate(
    ...     {"array": 1000, "seconds": {"lognormal": {"median": 300, "sigma": 0.6}}, "retries": 3},
    ...     {"on demand": {"max_vcpus": 64}, "spot": {"max_vcpus": 64, "spot": True, "interruptions_per_hour": 0.1}},
    ... ).summary()
    """
    submissions = read_workload(workload)
    places = read_worlds(worlds, (submission.queue for submission in submissions))
    numbers = read_seeds(seeds)
    with rare_collections():
        outcomes = [
            (name, seed, trial(place, submissions, seed))
            for name, place in places.items()
            for seed in numbers
        ]
    from nbbatch.client.simulation.forecast import forecast  # noqa: PLC0415 - pandas is slow to import

    return forecast(outcomes)


def trial(place: World, submissions: Sequence[Submission], seed: int) -> Figures:
    """One run of a workload in a world; the same seed draws the same work in every world."""
    return run(place, submissions, work=_draws(seed, "work"), chance=_draws(seed, "world"))


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for garbage less often: a simulation makes many small values, and none in circles."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def read_seeds(seeds: int | Iterable[int]) -> list[int]:
    """The seeds that a number or list of them means.

    Raises
    ------
    OptionError
        When they are none.
    """
    numbers: list[Any] = []
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        numbers = list(range(seeds))
    elif isinstance(seeds, Iterable):
        numbers = list(seeds)
    if not numbers or not all(isinstance(seed, int) for seed in numbers):
        raise OptionError(
            f"seeds = {seeds!r} are no seeds.", cure="Say how many (from 1), or list whole numbers."
        )
    return numbers


def _draws(seed: int, whose: str) -> Random:
    return Random(f"{seed}/{whose}")  # noqa: S311 - dice, not keys
