"""The steps of a pipeline: what each runs, what it waits for, and how it is submitted.

A step stands for its value in the arguments of later ones, as a handle does. It becomes a job only
when the pipeline is submitted, so its reference can be made only then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob, map_packed
from nbbatch.client.arrays.chunks import check_chunk
from nbbatch.client.arrays.inputs import list_items
from nbbatch.client.arrays.mapping import map_call
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.references import Referable, Reference, referable_in
from nbbatch.client.jobs import Job, check_call, check_function, submit_call, submit_packed
from nbbatch.client.options import Options
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.submission import pack_for, resolve
from nbbatch.errors import OptionError, UserError

Submit = Callable[[Mapping[str, Any]], Handle]
"""Submits what a step runs, with options; among them `after`."""


@dataclass(eq=False, slots=True, kw_only=True)
class Step(Referable):
    """A step of a pipeline, made by its methods.

    Parameters
    ----------
    name : str
        Unique in its pipeline.
    kind : str
        `function`, `array`, `cell`, `job` or the name of what submits it.
    given : dict
        Its options.
    after : list of str
        Names of the steps it waits for.
    job : Job, ArrayJob or None
        Its newest handle; None before it was submitted.
    """

    name: str
    kind: str
    submit: Submit
    given: dict[str, Any] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)
    job: Any = None

    def reference(self, variable: str | None = None) -> Reference:
        """What stands for its value, or for a variable of its cell, as an argument of a later step."""
        if self.job is None:
            raise UserError(
                f"Step {self.name!r} has not been submitted.",
                cure="Pass steps as arguments themselves, or in lists and dicts, to steps of the same pipeline.",
            )
        reference: Reference = self.job.reference(variable) if variable else self.job.reference()
        return reference

    def __getitem__(self, variable: str) -> Variable:
        """A variable that the step's cell assigns, as an input of a later step."""
        return Variable(self, variable)

    def result(self, timeout: float | None = None) -> Any:
        """Its value; see `Job.result`."""
        if self.job is None:
            raise UserError(f"Step {self.name!r} has not been submitted.", cure="Run the pipeline first.")
        return self.job.result(timeout)

    def __repr__(self) -> str:
        return f"<Step {self.name} ({self.kind})>"


@dataclass(frozen=True, eq=False, slots=True)
class Variable(Referable):
    """A variable that a step's cell assigns."""

    step: Step
    variable: str

    def reference(self) -> Reference:
        """What stands for it in a pickle."""
        return self.step.reference(self.variable)


def steps_in(value: Any) -> list[Step]:
    """Steps among the arguments of a call."""
    found = (one.step if isinstance(one, Variable) else one for one in referable_in(value))
    return list(dict.fromkeys(one for one in found if isinstance(one, Step)))


def call_step(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Step:
    """A function's call."""
    check_call(function, args, kwargs)

    def submit(options: Mapping[str, Any]) -> Job:
        return submit_call(function, args, kwargs, options)

    return Step(name=name, kind="function", submit=submit, after=_names([args, kwargs]))


def array_step(
    name: str, function: Callable[..., Any], items: Any, chunk: int | str, kwargs: Mapping[str, Any]
) -> Step:
    """A function over items, or over the items of an earlier array, one by one."""
    check_function(function)
    check_chunk(chunk)
    if not isinstance(items, Step):
        items = items if isinstance(items, Mapping) else list_items(items)

    def submit(options: Mapping[str, Any]) -> ArrayJob:
        made = _items_of(items) if isinstance(items, Step) else items
        return map_call(function, made, chunk=chunk, kwargs=kwargs, given=options)

    return Step(name=name, kind="array", submit=submit, after=_names([items, kwargs]))


def cell_step(name: str, cell: Cell) -> Step:
    """A cell; its inputs may be variables of earlier ones."""
    cell = replace(cell, takes_values=True)

    def submit(options: Mapping[str, Any]) -> Job | ArrayJob:
        read = resolve(options)
        packed = pack_for(cell, read)
        if cell.items is None:
            return submit_packed(packed, read, name=name)
        return map_packed(packed, read, name=name, inputs=cell.items)

    return Step(name=name, kind="cell", submit=submit, after=_names([cell.inputs, cell.items]))


def launch_step(
    name: str, launch: Callable[..., Handle], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Step:
    """Whatever submits a job and gives its handle, such as `nbbatch.run_notebook`."""
    check_function(launch)

    def submit(options: Mapping[str, Any]) -> Handle:
        made = [_handle(one) for one in args], {key: _handle(value) for key, value in kwargs.items()}
        job = launch(*made[0], **made[1], **options)
        if not isinstance(job, Handle):
            raise OptionError(f"{launch!r} gave {job!r}, which is no handle of a job.")
        return job

    kind = getattr(launch, "__name__", "launch")
    return Step(name=name, kind=kind, submit=submit, after=_names([args, kwargs]))


def job_step(name: str, job: Handle) -> Step:
    """A job that was submitted already."""
    return Step(name=name, kind="job", submit=lambda _: job, job=job)


def check_options(step: Step, given: Mapping[str, Any]) -> None:
    """Refuse options that cannot be read, before anything is submitted."""
    if step.kind in ("function", "array", "cell"):
        Options.parse(given)


def _names(value: Sequence[Any]) -> list[str]:
    return [step.name for step in steps_in(value)]


def _handle(value: Any) -> Any:
    return value.job if isinstance(value, Step) else value


def _items_of(step: Step) -> list[Any]:
    if not isinstance(step.job, ArrayJob):
        raise OptionError(
            f"Step {step.name!r} is no array, so what it gives cannot be mapped over before it is there.",
            cure="Map in a step of its own over a known list, or loop inside one job.",
        )
    return list(step.job)
