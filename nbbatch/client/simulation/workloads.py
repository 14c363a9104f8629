"""What is to be simulated, as a person writes it: rows, distributions, jobs that have run.

A row says in the words of `nbbatch.submit` what a job asks for, and besides how long it runs, when
it is submitted and how many of it there are. A job or array that has run is a row whose durations
were measured. Everything is checked here, before a simulation begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from numbers import Real
from types import MappingProxyType
from typing import Any

from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail, requirement, seconds
from nbbatch.errors import OptionError, UserError
from nbbatch.model.arns import name_of
from nbbatch.model.resources import Resources, parse_duration, parse_memory, parse_vcpus
from nbbatch.scheduler.workload import (
    SMALL,
    Durations,
    Empirical,
    Exponential,
    Fixed,
    Lognormal,
    Measured,
    Submission,
    Uniform,
)

DEFAULT_QUEUE = "default"
_PAGE = 100
_MOST_CHILDREN, _FEWEST_CHILDREN = 10_000, 2
_MOST_RETRIES = 9


def read_workload(workload: Any) -> list[Submission]:
    """Bring a workload of any kind to submissions.

    Parameters
    ----------
    workload : Job, ArrayJob, DataFrame, mapping, or iterable of jobs, arrays and mappings
        A DataFrame's rows are read like mappings; what is missing in one (NaN, None) is not said.

    Raises
    ------
    OptionError
        When a row has an unknown word or a value that cannot be; names both.
    UserError
        When a job that is to be measured has not run.
    """
    rows = list(_rows(workload))
    if not rows:
        raise OptionError("The workload is empty.", cure="Give it at least one row or job.")
    measured = [(row, row.detail()) for row in rows if isinstance(row, Handle)]
    start = min((detail["createdAt"] for _, detail in measured), default=0)
    by_id = {row.id: _measured(row, detail, start) for row, detail in measured}
    return [
        by_id[row.id] if isinstance(row, Handle) else read_row(row, place) for place, row in enumerate(rows)
    ]


def read_row(row: Mapping[str, Any], place: int = 0) -> Submission:
    """Bring one row to a submission; `place` is its number in the workload.

    Raises
    ------
    OptionError
        Naming the row, the word and the value that is wrong.
    """
    given = {str(word): value for word, value in row.items() if not _is_missing(value)}
    unknown = next((word for word in given if word not in _READERS), None)
    if unknown is not None:
        close = get_close_matches(unknown, _READERS, n=1)
        cure = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(_READERS)}."
        raise OptionError(f"Row {place} of the workload has {unknown!r}, which means nothing.", cure=cure)
    if "seconds" not in given:
        raise OptionError(
            f"Row {place} of the workload does not say how long it runs.", cure="Add `seconds`."
        )
    values = {word: _read(word, value, place) for word, value in given.items()}
    return _submission(values)


def measured_seconds(handle: Handle) -> tuple[float, ...]:
    """How long each child of an array, or the one attempt of a job, ran.

    Raises
    ------
    UserError
        When none has run to its end.
    """
    return _durations(handle, handle.detail())


def _rows(workload: Any) -> Iterator[Any]:
    if isinstance(workload, Handle | Mapping):
        return iter((workload,))
    if hasattr(workload, "to_dict") and hasattr(workload, "columns"):
        return iter(workload.to_dict("records"))
    if isinstance(workload, Iterable) and not isinstance(workload, str):
        rows = list(workload)
        if all(isinstance(row, Handle | Mapping) for row in rows):
            return iter(rows)
    raise OptionError(
        f"{workload!r} is no workload.",
        cure="Give a job, an array, a DataFrame, a mapping, or a list of them.",
    )


def _submission(values: Mapping[str, Any]) -> Submission:
    amount = Resources(
        vcpus=values.get("vcpus", SMALL.vcpus),
        memory=values.get("memory", SMALL.memory),
        gpus=values.get("gpus", 0),
    )
    return Submission(
        queue=values.get("queue", DEFAULT_QUEUE),
        durations=values["seconds"],
        at=values.get("at", 0.0),
        count=values.get("jobs", 1),
        every=values.get("every", 0.0),
        size=values.get("array"),
        resources=amount,
        name=values.get("name", "job"),
        share_identifier=values.get("share"),
        scheduling_priority=values.get("priority"),
        attempts=values.get("retries", 0) + 1,
        timeout=values.get("timeout"),
        failure=values.get("failure", 0.0),
        exit_code=values.get("exit_code", 1),
        after=values.get("after", ()),
    )


def _measured(handle: Handle, detail: Detail, start: int) -> Submission:
    """A job that has run, as it was asked for and as long as it took."""
    lengths = _durations(handle, detail)
    is_array = "size" in detail.get("arrayProperties", {}) and len(lengths) > 1
    return Submission(
        queue=name_of(detail["jobQueue"], "job-queue"),
        durations=Measured(seconds=lengths),
        at=(detail["createdAt"] - start) / 1000,
        size=len(lengths) if is_array else None,
        resources=Resources(
            vcpus=requirement(detail, "VCPU") or SMALL.vcpus,
            memory=int(requirement(detail, "MEMORY") or SMALL.memory),
            gpus=int(requirement(detail, "GPU") or 0),
        ),
        name=detail["jobName"],
        share_identifier=detail.get("shareIdentifier"),
        scheduling_priority=detail.get("schedulingPriority"),
        attempts=int((detail.get("retryStrategy") or {}).get("attempts", 1)),
        timeout=(detail.get("timeout") or {}).get("attemptDurationSeconds"),
    )


def _durations(handle: Handle, detail: Detail) -> tuple[float, ...]:
    size = detail.get("arrayProperties", {}).get("size")
    details = [detail] if size is None else _children(handle, size)
    lengths = tuple(length for one in details if (length := seconds(one)) is not None)
    if not lengths:
        raise UserError(f"{handle!r} has not run: nothing is measured.", cure="Wait for it: `.wait()`.")
    return lengths


def _children(handle: Handle, size: int) -> Iterator[Detail]:
    backend = handle.backend
    for first in range(0, size, _PAGE):
        ids = [f"{handle.id}:{index}" for index in range(first, min(first + _PAGE, size))]
        with backend.errors():
            page = backend.batch.describe_jobs(jobs=ids)["jobs"]
        yield from sorted(page, key=lambda one: one["arrayProperties"]["index"])


def _is_missing(value: Any) -> bool:
    """None, or a table's NaN or NaT: what is not equal to itself."""
    return value is None or (not isinstance(value, str | Sequence | Mapping | Handle) and value != value)  # noqa: PLR0124


def _read(word: str, value: Any, place: int) -> Any:
    try:
        return _READERS[word](value)
    except (OptionError, TypeError, ValueError, KeyError, UserError) as error:
        told = error.message if isinstance(error, UserError) else str(error)
        cure = error.cure if isinstance(error, UserError) else ""
        raise OptionError(f"{word} = {value!r} in row {place} of the workload: {told}", cure=cure) from error


def read_amount(value: Any) -> float:
    """A number of seconds, not negative; a text may have a unit."""
    number = float(parse_duration(value)) if isinstance(value, str) else float(value)
    if not 0 <= number < float("inf"):
        raise ValueError("it is no number of seconds from 0.")
    return number


def read_whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """What reads a whole number within bounds, and raises ValueError for anything else."""

    def read(value: Any) -> int:
        number = float(value)
        if not number.is_integer() or number < least or (most is not None and number > most):
            raise ValueError(f"it is no whole number from {least}{'' if most is None else f' to {most}'}.")
        return int(number)

    return read


def _probability(value: Any) -> float:
    if not 0 <= float(value) <= 1:
        raise ValueError("it is no probability from 0 to 1.")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("it is no text.")
    return value


def _places(value: Any) -> tuple[int, ...]:
    numbers = [value] if isinstance(value, Real) else list(value)
    return tuple(map(read_whole(0), numbers))


def _all_amounts(value: Iterable[Any]) -> tuple[float, ...]:
    amounts = tuple(map(read_amount, value))
    if not amounts:
        raise ValueError("it is empty.")
    return amounts


_SHAPES: Mapping[str, tuple[tuple[str, ...], Callable[..., Durations]]] = MappingProxyType(
    {
        "fixed": (("seconds",), lambda seconds: Fixed(seconds=read_amount(seconds))),
        "uniform": (("low", "high"), lambda low, high: Uniform(low=read_amount(low), high=read_amount(high))),
        "exponential": (("mean",), lambda mean: Exponential(mean=_positive(mean))),
        "lognormal": (
            ("median", "sigma"),
            lambda median, sigma: Lognormal(median=_positive(median), sigma=read_amount(sigma)),
        ),
        "empirical": (("seconds",), lambda seconds: Empirical(seconds=_all_amounts(seconds))),
        "measured": (("seconds",), lambda seconds: Measured(seconds=_all_amounts(seconds))),
    }
)
"""Distributions by name: their numbers, and what is made of them."""


def _positive(value: Any) -> float:
    if read_amount(value) == 0:
        raise ValueError("it must be more than 0.")
    return read_amount(value)


def _read_durations(value: Any) -> Durations:
    """A number, a text like `90s`, a list to draw from, a job to draw from, or a named distribution."""
    if isinstance(value, Handle):
        return Empirical(seconds=measured_seconds(value))
    if isinstance(value, Mapping):
        return _read_distribution(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return Fixed(seconds=read_amount(value))
    return Empirical(seconds=_all_amounts(value))


def _read_distribution(value: Mapping[str, Any]) -> Durations:
    name = next(iter(value), "")
    if len(value) != 1 or name not in _SHAPES:
        raise OptionError("it is no distribution.", cure=f"Use one of: {', '.join(_SHAPES)}.")
    numbers, make = _SHAPES[name]
    given = value[name]
    if len(numbers) == 1 and not isinstance(given, Mapping):
        given = {numbers[0]: given}
    if not isinstance(given, Mapping) or set(given) != set(numbers):
        raise OptionError(f"{name} needs {' and '.join(numbers)}.", cure=f"Got {given!r}.")
    return make(**given)


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "seconds": _read_durations,
        "jobs": read_whole(1),
        "array": read_whole(_FEWEST_CHILDREN, _MOST_CHILDREN),
        "at": read_amount,
        "every": read_amount,
        "queue": _text,
        "vcpus": parse_vcpus,
        "memory": parse_memory,
        "gpus": read_whole(0),
        "name": _text,
        "share": _text,
        "priority": read_whole(0),
        "retries": read_whole(0, _MOST_RETRIES),
        "timeout": parse_duration,
        "failure": _probability,
        "exit_code": read_whole(0, 255),
        "after": _places,
    }
)
