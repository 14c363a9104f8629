"""What a job will cost, in dollars, as far as anybody can know: a range, and the worst case.

How long a run takes is never assumed. It was measured in earlier runs of the same code, or the user
says it; else there is a price per hour and nothing more. The worst case is what timeout, attempts and
`max_cost` allow, and none of the first two is guessed either. Prices are today's, of the catalogue
that the daemon uses, too: they say what a run *will* cost. What a run *has* cost stands on the job
(`job.cost()`), at the prices it was placed with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.arrays.inputs import list_items
from nbbatch.client.arrays.shape import read_array
from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.capacity import UNANSWERED, capacity_of, definition_of, excuse, requirements_of
from nbbatch.client.checks import is_number, refusal
from nbbatch.client.format import dollars
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail, duration_in_words
from nbbatch.client.money.history import Measured, measure, measured
from nbbatch.client.money.rates import prices_of
from nbbatch.client.options import Options
from nbbatch.client.packing.digest import function_digest
from nbbatch.client.spec import MAX_COST_TAG, job_name, queue_of, resources_of
from nbbatch.client.submission import resolve
from nbbatch.errors import OptionError, ResultLostError
from nbbatch.model.resources import Resources

_HOUR = 3600.0
_ON_DEMAND, _SPOT = 0, 1
NO_PRICE = "no host of the queue has room for it, or nobody knows their price"
"""What is said where there is no rate."""
_UNKNOWN = "nothing like it has run here yet: a first run, or seconds=, tells the cost"


class Basis(StrEnum):
    """Where the duration behind an estimate comes from."""

    MEASURED = "measured"
    GIVEN = "given"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Dollars for all attempts and items together, on one kind of capacity.

    Parameters
    ----------
    per_hour : float or None
        While one attempt runs; None where no instance type is known that could take it.
    low, expected, high : float or None
        None where nobody knows how long it runs.
    worst : float or None
        The most it can cost; None where nothing limits it.
    """

    per_hour: float | None = None
    low: float | None = None
    expected: float | None = None
    high: float | None = None
    worst: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate:
    """What a job will cost; as text it is one line for people.

    Parameters
    ----------
    on_demand, spot : Range
        At each price; a queue has one of them.
    is_spot : bool
        Which of the two it will be, by the queue's compute environments.
    basis : Basis
        Where the duration comes from.
    because : str
        The same in words.
    worst_because : str
        What the worst case is made of, or why there is none.
    items : int
        How many runs it is for.
    currency : str
        Always `USD`: AWS's price lists have no other one outside China.
    """

    on_demand: Range
    spot: Range
    is_spot: bool
    basis: Basis
    because: str
    worst_because: str
    items: int = 1
    currency: str = "USD"

    @property
    def chosen(self) -> Range:
        """At the price of the queue's capacity."""
        return self.spot if self.is_spot else self.on_demand

    @property
    def low(self) -> float | None:
        """Dollars that nine of ten such runs will cost at least, with `high`; None where unknown."""
        return self.chosen.low

    @property
    def expected(self) -> float | None:
        """Dollars on average; None where nobody knows how long it runs."""
        return self.chosen.expected

    @property
    def high(self) -> float | None:
        """Dollars; see `low`."""
        return self.chosen.high

    @property
    def worst(self) -> float | None:
        """The most it can cost, in dollars; None where nothing limits it."""
        return self.chosen.worst

    @property
    def per_hour(self) -> float | None:
        """Dollars per hour while one attempt runs; None where no price is known."""
        return self.chosen.per_hour

    def __str__(self) -> str:
        if self.per_hour is None:
            return NO_PRICE
        kind = "Spot" if self.is_spot else "on demand"
        if self.expected is None:
            each = " for each item" if self.items > 1 else ""
            head = f"{dollars(self.per_hour)}/h {kind}{each}"
        else:
            spread = f" ({dollars(self.low or 0)} to {dollars(self.high or 0)})"
            head = f"{dollars(self.expected)} {kind}{spread if self.low != self.high else ''}"
        worst = "no upper limit" if self.worst is None else f"at worst {dollars(self.worst)}"
        return f"{head} · {self.because} · {worst}: {self.worst_because}"

    def __repr__(self) -> str:
        return f"<Estimate {self}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an estimate is asked for: where it runs, how often, and for how long at most.

    Parameters
    ----------
    wanted : Resources or None
        Of one attempt; None where the definition does not say.
    timeout : int or None
        Seconds of one attempt.
    attempts, items, chunk : int
        Most attempts of a child; how many items there are, and how many a child runs.
    """

    backend: Backend
    queue: str
    wanted: Resources | None
    timeout: int | None = None
    attempts: int = 1
    max_cost: float | None = None
    items: int = 1
    chunk: int = 1


def estimate(
    what: Any = None,
    /,
    *,
    items: Any = None,
    seconds: float | None = None,
    hours: float | None = None,
    **options: Any,
) -> Estimate:
    """What a job will cost.

    Parameters
    ----------
    what : callable, handle or str, optional
        The function to be run; a job that ran, or its id or name, to be run again. Earlier runs of
        it say how long it takes.
    items : int or collection, optional
        How many items of an array, or they themselves.
    seconds, hours : float, optional
        How long one run takes, one item of an array; instead of what earlier runs took.
    **options
        As in `submit`: queue, vcpus, memory, spot, timeout, retries, max_cost and so on.

    Returns
    -------
    Estimate
        Dollars. Without a known duration there is a price per hour and a worst case only.

    Raises
    ------
    OptionError
        An option is malformed, or a duration is not above 0.
    UnknownNameError
        There is no such queue or job.

    Examples
    --------
    >>> nbbatch.estimate(train, vcpus=4, memory="8G", timeout="2h", spot=True)  # doctest: +SKIP
    >>> nbbatch.estimate(simulate, items=10_000, seconds=3)  # doctest: +SKIP
    """
    length = _length(seconds, hours)
    count = _count(items)
    if isinstance(what, str):
        from nbbatch.client.jobs import job  # noqa: PLC0415 - stands above this module

        what = job(what, backend=options.get("backend"))
    if isinstance(what, Handle):
        return _of_handle(what, options, count, length)
    function = getattr(what, "function", what)
    if function is not None and not callable(function):
        raise refusal("estimate", what, "a function, or a job, its id or its name")
    given = {**getattr(what, "given", {}), **options}
    name, code = (_name(function), function_digest(function)) if callable(function) else ("", "")
    return estimate_options(resolve(given), items=count or 1, seconds=length, code=code, name=name)


def estimate_options(
    options: Options,
    *,
    items: int = 1,
    chunk: int = 1,
    seconds: float | None = None,
    code: str = "",
    name: str = "",
    history: Measured | None = None,
) -> Estimate:
    """What a job with these options, from `resolve`, will cost.

    Parameters
    ----------
    items, chunk : int
        Of an array, and how many of them a child runs.
    seconds : float, optional
        How long an item takes; else what was measured.
    code, name : str
        By which earlier runs are found: `Packed.code`, and the job's name where it means something.
    history : Measured, optional
        Earlier runs that are known already: then the backend is not asked for them.
    """
    backend = get_backend(options.backend)
    plan = replace(plan_of(backend, options), items=items, chunk=chunk)
    if seconds is None and history is None:
        try:
            history = measured(backend, code=code, name=options.name or name)
        except UNANSWERED as error:
            excuse("earlier runs", error)
    return priced(plan, seconds=seconds, history=history)


def priced(plan: Plan, *, seconds: float | None, history: Measured | None) -> Estimate:
    """An estimate of a plan, from a duration given or measured."""
    capacity = capacity_of(plan.backend, plan.queue)
    span = _span(plan, seconds, history)
    prices = [] if plan.wanted is None else prices_of(capacity, plan.wanted)
    limit = None if plan.timeout is None else _longest(plan) / _HOUR
    ranges = [
        _range([rate[kind] for rate in prices], span, limit, plan.max_cost) for kind in (_ON_DEMAND, _SPOT)
    ]
    basis = Basis.GIVEN if seconds is not None else Basis.MEASURED if history else Basis.UNKNOWN
    return Estimate(
        on_demand=ranges[0],
        spot=ranges[1],
        is_spot=capacity.is_spot,
        basis=basis,
        because=_because(plan, seconds, history),
        worst_because=_worst_because(plan),
        items=plan.items,
    )


def _of_handle(
    handle: Handle, options: Mapping[str, Any], count: int | None, given: float | None
) -> Estimate:
    """What running a job again will cost, with other options where some are given."""
    detail, backend = handle.detail(), handle.backend
    plan = _plan_again(backend, detail)
    if options:
        plan = _changed(plan, _placed(backend, detail, Options.parse(options)))
    items, chunk = _shape(backend, detail)
    plan = replace(plan, items=count or items, chunk=chunk)
    history = (
        None if given is not None else measure(backend, [detail]) or measured(backend, name=detail["jobName"])
    )
    return priced(plan, seconds=given, history=history)


def plan_of(backend: Backend, options: Options) -> Plan:
    """What a job with these options, from `resolve`, is: one item, unless said otherwise."""
    options = backend.suited(options)
    plan = Plan(backend=backend, queue=queue_of(options), wanted=resources_of(options))
    if options.definition:
        definition = definition_of(backend, options.definition) or {}
        wanted = requirements_of(definition.get("containerProperties") or {})
        plan = _limited(replace(plan, wanted=wanted if wanted.vcpus else None), definition)
    return _changed(plan, options)


def _plan_again(backend: Backend, detail: Detail) -> Plan:
    wanted = requirements_of(detail.get("container") or {})
    cap = (detail.get("tags") or {}).get(MAX_COST_TAG)
    plan = Plan(
        backend=backend,
        queue=detail["jobQueue"],
        wanted=wanted if wanted.vcpus else None,
        max_cost=None if cap is None else float(cap),
    )
    return _limited(plan, detail)


def _limited(plan: Plan, facts: Mapping[str, Any]) -> Plan:
    """The plan with the timeout and the attempts of a job or a definition."""
    return replace(
        plan,
        timeout=(facts.get("timeout") or {}).get("attemptDurationSeconds"),
        attempts=(facts.get("retryStrategy") or {}).get("attempts") or 1,
    )


def _changed(plan: Plan, options: Options) -> Plan:
    """The plan with what options say otherwise."""
    asked = {name: getattr(options, name) for name in ("vcpus", "memory", "gpus")}
    asked = {name: value for name, value in asked.items() if value is not None}
    base = plan.wanted or (resources_of(Options()) if asked else None)
    return replace(
        plan,
        wanted=base if base is None else replace(base, **asked),
        queue=queue_of(options) if _goes_elsewhere(options) else plan.queue,
        timeout=plan.timeout if options.timeout is None else options.timeout,
        attempts=plan.attempts if options.retries is None else options.retries + 1,
        max_cost=plan.max_cost if options.max_cost is None else options.max_cost,
    )


def _placed(backend: Backend, detail: Detail, options: Options) -> Options:
    """The options with the queue that they mean for a job that ran; its definition brings its image."""
    if not _goes_elsewhere(options):
        return options
    asked = Options(
        queue=options.queue, spot=options.spot, gpus=options.gpus, definition=detail["jobDefinition"]
    )
    return replace(options, queue=backend.suited(asked).queue)


def _goes_elsewhere(options: Options) -> bool:
    """Whether they ask for a queue, or for a kind of hosts that decides it."""
    return bool(options.queue or options.spot is not None or options.gpus)


def _shape(backend: Backend, detail: Detail) -> tuple[int, int]:
    """Items of a job, and how many of them a child runs."""
    bundle_id, size = bundle_of(detail), (detail.get("arrayProperties") or {}).get("size", 1)
    with suppress(ResultLostError):
        array = read_array(backend.store, bundle_id) if bundle_id else None
        if array is not None:
            return min(array.shape.items, size * array.shape.chunk), array.shape.chunk
    return size, 1


def _span(plan: Plan, given: float | None, history: Measured | None) -> tuple[float, float, float] | None:
    """Seconds of all items together: low, expected, high."""
    if given is not None:
        return (given * plan.items,) * 3
    return None if history is None else history.span(plan.items)


def _longest(plan: Plan) -> float:
    """Seconds that timeout and attempts allow to all children together."""
    children = -(-plan.items // plan.chunk)
    return float((plan.timeout or 0) * plan.attempts * children)


def _range(
    rates: Sequence[float],
    span: tuple[float, float, float] | None,
    limit: float | None,
    cap: float | None,
) -> Range:
    """Dollars by the cheapest rate, at worst by the dearest; `limit` is the most hours, `cap` the most dollars."""
    if not rates:
        return Range(worst=cap)
    most = [] if limit is None else [limit * max(rates)]
    worst = min([*most, *([] if cap is None else [cap])], default=None)
    if span is None:
        return Range(per_hour=min(rates), worst=worst)
    low, expected, high = (_at_most(min(rates) * length / _HOUR, worst) for length in span)
    return Range(per_hour=min(rates), low=low, expected=expected, high=high, worst=worst)


def _at_most(amount: float, limit: float | None) -> float:
    return amount if limit is None else min(amount, limit)


def _because(plan: Plan, given: float | None, history: Measured | None) -> str:
    times = f" x {plan.items:,} items" if plan.items > 1 else ""
    if given is not None:
        return f"{duration_in_words(given)} as given{times}"
    if history is None:
        return _UNKNOWN
    each = duration_in_words(history.span(1)[1])
    runs = "the last run" if len(history.jobs) == 1 else f"{len(history.jobs)} earlier runs"
    changed = "" if history.is_same_code else " of that name, whose code was another"
    return f"{each} in {runs}{changed}{times}"


def _worst_because(plan: Plan) -> str:
    parts = []
    if plan.timeout is not None:
        tries = f" x {plan.attempts} attempts" if plan.attempts > 1 else ""
        children = -(-plan.items // plan.chunk)
        each = f" x {children:,} children" if children > 1 else ""
        parts.append(f"timeout of {duration_in_words(plan.timeout)}{tries}{each}")
    if plan.max_cost is not None:
        parts.append(f"max_cost of {dollars(plan.max_cost)}")
    return " or ".join(parts) or "give timeout or max_cost"


def _length(seconds: float | None, hours: float | None) -> float | None:
    """Seconds given."""
    if seconds is not None and hours is not None:
        raise OptionError("A duration is given twice.", cure="Give either seconds or hours.")
    given = seconds if hours is None else hours
    if given is not None and not is_number(given):
        raise refusal("seconds" if hours is None else "hours", given, "a number above 0")
    length = seconds if hours is None else hours * _HOUR
    if length is not None and not 0 < length < float("inf"):
        raise OptionError(f"A run of {length} s cannot be priced.", cure="Give a number above 0.")
    return length


def _count(items: Any) -> int | None:
    if items is None:
        return None
    if isinstance(items, int) and not isinstance(items, bool):
        if items < 1:
            raise OptionError(f"An array of {items} items cannot be priced.", cure="Give at least 1.")
        return items
    return len(list_items(items))


def _name(function: Callable[..., Any]) -> str:
    return job_name(getattr(function, "__name__", type(function).__name__))
