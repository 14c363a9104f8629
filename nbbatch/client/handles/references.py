"""A handle as an argument: in the pickle a reference stands for it, which becomes the value in the job.

The other end is `nbbatch.runner.upstream`, which in the job is a module of another name; here that name
leads back to the handle, so that what was sent can also be read in a notebook.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

from nbbatch.client.packing.carried import RUNNER_NAME

_THERE = f"{RUNNER_NAME}.upstream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Which value of which job is meant.

    Parameters
    ----------
    url : str
        Of the job's bundle.
    indexes : tuple of int
        Children of the bundle; of a single job (0,).
    bases : tuple of int
        Attempts are counted from these numbers on; see `nbbatch.client.arrays.indexes`.
    place : int or None
        Which item of its child; None: all items of all children, as a list.
    variable : str or None
        A name that the job's cell assigned; None: its value.
    job, job_id, backend, name : str
        Short id for people, and what makes the handle again.
    """

    url: str
    indexes: tuple[int, ...]
    bases: tuple[int, ...]
    place: int | None
    variable: str | None = None
    job: str
    job_id: str
    backend: str
    name: str

    def __reduce__(self) -> tuple[Any, ...]:
        return _ResultOf(), ({**asdict(self), "indexes": [*self.indexes], "bases": [*self.bases]},)


class Referable:
    """What can be meant by a reference: a handle, or a variable of one."""

    def reference(self) -> Reference:
        """What stands for it in a pickle.

        Raises
        ------
        OptionError
            It has no value that could be meant.
        """
        raise NotImplementedError


class _ResultOf:
    """Unpickles as the runner's function."""

    def __call__(self, _reference: Mapping[str, Any]) -> None:
        """Only pickle's protocol wants this to be callable here."""

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (_There(), "result_of")


class _There:
    """Unpickles as the runner's module."""

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, (_THERE,)


class References:
    """Replaces what can be referred to while a payload is pickled, and remembers it."""

    def __init__(self) -> None:
        self.found: dict[Reference, None] = {}

    def replace(self, thing: Any) -> Any:
        """Pickle's recipe for a handle; NotImplemented for everything else."""
        if not isinstance(thing, Referable):
            return NotImplemented
        reference = thing.reference()
        self.found[reference] = None
        return reference.__reduce__()


def referable_in(value: Any) -> Iterator[Referable]:
    """Handles in a value and in the lists, tuples, sets and dicts it is made of."""
    if isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from referable_in(one)
    elif isinstance(value, Mapping):
        yield from referable_in(list(value.values()))
    elif isinstance(value, Referable):
        yield value


def know_references() -> None:
    """Let what was pickled with references be read here: they become handles again."""
    module = ModuleType(_THERE)
    module.result_of = _handle_of  # type: ignore[attr-defined]
    sys.modules.setdefault(_THERE, module)


def _handle_of(facts: Mapping[str, Any]) -> Any:
    from nbbatch.client.arrays.array_jobs import ArrayJob  # noqa: PLC0415 - stands above this module
    from nbbatch.client.arrays.item_jobs import ItemJob  # noqa: PLC0415
    from nbbatch.client.jobs import Job  # noqa: PLC0415

    made = {"backend": facts["backend"], "name": facts["name"]}
    if facts["place"] is None:
        return ArrayJob(facts["job_id"], **made)
    if ":" in facts["job_id"] or facts["place"]:
        return ItemJob(facts["job_id"], **made, place=facts["place"])
    return Job(facts["job_id"], **made)
