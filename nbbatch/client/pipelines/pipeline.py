"""Pipelines: named steps that wait for each other, submitted at once as jobs with Batch dependencies.

The order is the service's business from then on, so a pipeline goes on when the notebook is closed.
What belongs together is told by tags on the jobs; a pipeline that was built again in another kernel
finds its newest run by them. After a failure only what failed or never ran is run again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import nbbatch
from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.backend import get_backend
from nbbatch.client.checks import check_text, check_timeout, refusal, texts_of
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail, duration_in_words, seconds
from nbbatch.client.handles.shown import state_of
from nbbatch.client.jobs import name_of
from nbbatch.client.listing import find, jobs
from nbbatch.client.options import Options, split_options
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.pipelines.again import decide
from nbbatch.client.pipelines.dependencies import submitted_together
from nbbatch.client.pipelines.graph import Node, as_svg, as_text, in_order
from nbbatch.client.pipelines.steps import (
    Step,
    array_step,
    call_step,
    cell_step,
    check_options,
    job_step,
    launch_step,
)
from nbbatch.client.spec import job_name
from nbbatch.client.summaries import describe_all
from nbbatch.errors import NbbatchError, OptionError, UnknownNameError, UserError
from nbbatch.model.jobs import TERMINAL

PIPELINE_TAG, RUN_TAG, STEP_TAG = "nbbatch:pipeline", "nbbatch:run", "nbbatch:step"
_OF_THE_FIRST_RUN = (
    "after",
    "backend",
    "cache",
    "preset",
    "files",
    "workdir",
    "fetch",
    "fetch_to",
    "value_limit",
)
"""Options that decided what was packed and where: items that run again have the bundle of the first run."""


class Pipeline:
    """Steps and the jobs that they became; see `nbbatch.pipeline`.

    As a context it submits itself at the end of the block, unless that raised.
    """

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        Options.parse(given)
        if not isinstance(name, str) or not name.strip():
            raise refusal("name", name, "a text: what the jobs' names begin with")
        self.name = job_name(name)
        self.run_id = ""
        self.retried: dict[str, str] = {}
        """What the last `retry` did with each step, and why."""
        self._given = dict(given)
        self._steps: dict[str, Step] = {}

    def step(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Step:
        """Add a function's call; arguments that are steps arrive as their values.

        Parameters
        ----------
        function : callable
            As in `nbbatch.submit`; one with `@nbbatch.batch` brings its options.
        *args, **kwargs
            Its arguments, and options as in `submit`, among them `name` (else the function's) and
            `after`: steps or their names that must succeed first.

        Returns
        -------
        Step
            To be passed to later steps.
        """
        given, own, function = _apart(function, kwargs)
        return self._add(given, lambda name: call_step(name, function, args, own), name_of(function))

    def map(
        self, function: Callable[..., Any], items: Any, /, *, chunk: int | str = "auto", **kwargs: Any
    ) -> Step:
        """Add a function over items; over an earlier array it goes on item by item. See `nbbatch.map`."""
        given, own, function = _apart(function, kwargs)
        return self._add(given, lambda name: array_step(name, function, items, chunk, own), name_of(function))

    def cell(
        self,
        source: str | Cell,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: Sequence[str] | None = None,
        **given: Any,
    ) -> Step:
        """Add a cell: its text, the values of the names it reads, the names it assigns for later steps.

        Parameters
        ----------
        source : str or Cell
            Python, as in a notebook; or all that `%%batch` made of it.
        inputs : mapping, optional
            Values by name; `step["df"]` is the variable `df` of an earlier cell.
        outputs : sequence of str, optional
            Names it must assign.
        **given
            Options as in `step`.
        """
        if not isinstance(source, str | Cell):
            raise refusal("A cell", source, "its text")
        if inputs is not None and not isinstance(inputs, Mapping):
            raise refusal("inputs", inputs, "a mapping of names to values")
        if isinstance(source, str):
            outputs = None if outputs is None else texts_of("outputs", outputs, "a list of names")
            source = Cell(source=source, inputs=inputs or {}, outputs=outputs, named=frozenset(inputs or ()))
        cell = source
        return self._add(given, lambda name: cell_step(name, cell), "cell")

    def launch(self, launch: Callable[..., Handle], /, *args: Any, **kwargs: Any) -> Step:
        """Add anything that submits a job and takes options: `run_notebook`, `script`, `command`.

        Examples
        --------
        >>> p.launch(nbbatch.run_notebook, "report.ipynb", after=[scores])  # doctest: +SKIP
        """
        given, own = split_options(kwargs)
        return self._add(given, lambda name: launch_step(name, launch, args, own), name_of(launch))

    def add(self, job: Handle, *, name: str | None = None) -> Step:
        """Add a job that was submitted already, such as what `%%batch --as` bound."""
        if not isinstance(job, Handle):
            raise refusal("add", job, "what nbbatch.submit, map or job returned")
        return self._add({"name": name or job.name}, lambda unique: job_step(unique, job), job.name)

    def run(self) -> Pipeline:
        """Submit all steps; nothing waits in the notebook.

        Raises
        ------
        OptionError
            Steps wait for each other in a circle, or an option is malformed; nothing was submitted.
        UserError
            A run of this pipeline goes on.
        NbbatchError
            A step is refused; those submitted before it have been terminated.
        """
        self._refuse_going(self._details())
        order = self._checked()
        self.run_id, self.retried = uuid.uuid4().hex[:12], {}
        for step in self._steps.values():
            step.job = step.job if step.kind == "job" else None
        self._submit([name for name in order if self._steps[name].job is None])
        return self

    def retry(self) -> Pipeline:
        """Run again what failed, what therefore never ran, and what would not do the same now.

        A step whose code or inputs are others than when it ran, because the pipeline was built again
        with them, runs whole, and so does what depends on it. Of an array that would do the same only
        the failed items run again. Image, memory and other options are those of now. `retried` says of
        each step what is done and why, and the pipeline's display has it, too.

        Raises
        ------
        UserError
            It has not ended, or never ran.
        """
        details = self._details()
        if not details:
            raise UserError(f"Pipeline {self.name} has not run.", cure="run() it.")
        self._refuse_going(details)
        order = self._checked()
        plan = decide([self._steps[name] for name in order], details, self._submitted)
        self.retried = {name: str(plan[name]) for name in order}
        again = [name for name in order if not plan[name].is_kept]
        for name in again:
            self._steps[name].job = None
        self._submit(again, repeats={name: plan[name].array for name in again})
        return self

    def attach(self) -> Pipeline:
        """Take up the newest run of a pipeline of this name, submitted from anywhere.

        Raises
        ------
        UnknownNameError
            There is none.
        """
        place = get_backend(self._given.get("backend"))
        rows = jobs(tag=f"{PIPELINE_TAG}={self.name}", limit=1000, backend=place.name)
        tags = {one["jobId"]: one.get("tags") or {} for one in describe_all(place, [row.id for row in rows])}
        if not rows:
            raise UnknownNameError(
                f"Backend {place.name!r} knows no run of a pipeline {self.name!r}.", cure="run() it."
            )
        self.run_id = tags[rows[0].id].get(RUN_TAG, "")
        for row in reversed(rows):
            name = tags[row.id].get(STEP_TAG, "")
            if tags[row.id].get(RUN_TAG) == self.run_id and name in self._steps:
                self._steps[name].job = find(row.id, backend=place.name)
        return self

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all steps have ended; False when the time, in seconds, was up first."""
        check_timeout(timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        handles = [step.job for step in self._steps.values() if step.job is not None]
        return all(
            job.wait(None if deadline is None else max(0.0, deadline - time.monotonic())) for job in handles
        )

    def results(self, timeout: float | None = None) -> dict[str, Any]:
        """Values by name of the step, of those that have one.

        Raises
        ------
        Exception
            What the first failed step raised.
        """
        check_timeout(timeout)
        order = self._checked()
        return {name: self._steps[name].result(timeout) for name in order}

    def status(self) -> dict[str, str]:
        """AWS Batch's status of each step, empty for one that was not submitted."""
        details = self._details()
        return {name: str(details[name]["status"]) if name in details else "" for name in self._steps}

    def cancel(self, reason: str = "Pipeline cancelled from the notebook") -> None:
        """Stop what runs, and take back what waits."""
        check_text("reason", reason, "a text")
        details = self._details()
        for name in reversed(self._checked()):
            if name in details and details[name]["status"] not in TERMINAL:
                self._steps[name].job.terminate(reason)

    def __getitem__(self, name: str) -> Step:
        if name not in self._steps:
            raise UnknownNameError(
                f"Pipeline {self.name} has no step {name!r}.", cure=f"It has {', '.join(self._steps)}."
            )
        return self._steps[name]

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Any:
        return iter(self._steps.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.run()

    def __repr__(self) -> str:
        return f"pipeline {self.name}\n{as_text(self._nodes({}), self.retried)}"

    def nodes(self) -> list[Node]:
        """How each step stands now, as the pipeline's picture has it.

        Raises
        ------
        BackendError
            The backend does not answer.
        """
        return self._nodes(self._details())

    def _ipython_display_(self, **_: Any) -> None:
        """IPython's hook: a live panel where a front end shows one; else IPython takes the picture of now."""
        nbbatch.panel(self)._ipython_display_()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """How it stands now, as text and as a picture."""
        details: Mapping[str, Detail] = {}
        with suppress(NbbatchError):  # a backend that does not answer must not break the display
            details = self._details()
        nodes = self._nodes(details)
        return {
            "text/plain": f"pipeline {self.name}\n{as_text(nodes, self.retried)}",
            "image/svg+xml": as_svg(nodes, self.retried),
        }

    def _add(self, given: Mapping[str, Any], make: Callable[[str], Step], usual: str) -> Step:
        step = make(self._unique(given.get("name"), usual))
        wanted = given.get("after", given.get("depends"))
        is_one = isinstance(wanted, str | Step | Handle) or not isinstance(wanted, Iterable)
        named = [] if wanted is None else [wanted] if is_one else list(wanted)
        step.after += [one.name if isinstance(one, Step) else self._name_of(one) for one in named]
        step.after = list(dict.fromkeys(step.after))
        step.given = {key: value for key, value in given.items() if key not in ("name", "after", "depends")}
        Options.parse(step.given)
        self._steps[step.name] = step
        return step

    def _name_of(self, one: Any) -> str:
        """A handle that is waited for is or becomes a step."""
        if isinstance(one, str):
            return one
        if not isinstance(one, Handle):
            raise refusal("after", one, "steps, their names, or handles of jobs")
        known = next((step.name for step in self._steps.values() if step.job == one), None)
        return known or self.add(one).name

    def _unique(self, wanted: str | None, usual: str) -> str:
        check_text("name", wanted, "a step's name")
        if wanted is not None and wanted in self._steps:
            raise OptionError(
                f"Pipeline {self.name} has a step {wanted!r} already.", cure="Give another name."
            )
        name, number = wanted or job_name(usual), 2
        while name in self._steps:
            name, number = f"{job_name(usual)}-{number}", number + 1
        return name

    def _checked(self) -> list[str]:
        """Names in an order in which they can be submitted."""
        if not self._steps:
            raise OptionError(f"Pipeline {self.name} has no steps.", cure="Add one: step(function, ...).")
        for step in self._steps.values():
            check_options(step, {**self._given, **step.given})
        return in_order({name: step.after for name, step in self._steps.items()})

    def _submit(self, names: Sequence[str], repeats: Mapping[str, ArrayJob | None] | None = None) -> None:
        """Submit steps one behind the other; all or none of them."""
        done: list[Step] = []
        try:
            for name in names:
                step = self._steps[name]
                array = (repeats or {}).get(name)
                step.job = self._submitted(step, done) if array is None else self._repeated(step, array)
                done.append(step)
        except BaseException:
            for step in done:
                with suppress(NbbatchError):
                    step.job.terminate(f"Pipeline {self.name} could not be submitted as a whole")
            raise

    def _submitted(self, step: Step, together: Sequence[Step] = ()) -> Handle:
        """A step's job; one that it waits for may have failed by now, which then is this one's end, too."""
        token = submitted_together.set(frozenset(one.job.id for one in together))
        try:
            return step.submit(self._options(step))
        finally:
            submitted_together.reset(token)

    def _repeated(self, step: Step, array: ArrayJob) -> ArrayJob:
        """Failed items again, with the options of now; what they wait for has succeeded."""
        given = {key: value for key, value in self._options(step).items() if key not in _OF_THE_FIRST_RUN}
        return array.retry_failed(**given)

    def _refuse_going(self, details: Mapping[str, Detail]) -> None:
        own = [one for name, one in details.items() if self._steps[name].kind != "job"]
        if any(detail["status"] not in TERMINAL for detail in own):
            raise UserError(f"Pipeline {self.name} goes on.", cure="Wait for it, or cancel() it first.")

    def _options(self, step: Step) -> dict[str, Any]:
        given = {**self._given, **step.given}
        own = {PIPELINE_TAG: self.name, RUN_TAG: self.run_id, STEP_TAG: step.name}
        waits = [self._steps[name].job for name in step.after]
        tags = {**Options.parse({"tags": given.get("tags")}).tags, **own}
        return {**given, "tags": tags, "name": f"{self.name}-{step.name}"[:128], "after": waits or None}

    def _details(self) -> dict[str, Detail]:
        """DescribeJobs of all steps that were submitted."""
        handles = {name: step.job for name, step in self._steps.items() if step.job is not None}
        found: dict[str, Detail] = {}
        for backend in {job.backend_name: job.backend for job in handles.values()}.values():
            ids = [job.id for job in handles.values() if job.backend_name == backend.name]
            found |= {one["jobId"]: one for one in describe_all(backend, ids)}
        return {name: found[job.id] for name, job in handles.items() if job.id in found}

    def _nodes(self, details: Mapping[str, Detail]) -> list[Node]:
        return [
            Node(
                name=name,
                status=str(details[name]["status"]) if name in details else "",
                state=_state(details.get(name)) if step.job is not None else "",
                after=tuple(step.after),
            )
            for name, step in self._steps.items()
        ]


def _state(detail: Detail | None) -> str:
    if detail is None:
        return "submitted"
    ran = seconds(detail)
    counts = (detail.get("arrayProperties") or {}).get("statusSummary")
    done = f" {counts.get('SUCCEEDED', 0)}/{detail['arrayProperties']['size']}" if counts else ""
    return f"{state_of(detail)}{done}" + (f" {duration_in_words(ran)}" if ran is not None else "")


def _apart(
    function: Callable[..., Any], kwargs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], Callable[..., Any]]:
    """Options, the function's own keywords, and the function; a decorated one keeps its own options."""
    given, own = split_options(kwargs)
    carried = getattr(function, "given", None)
    if carried is None:
        return given, own, function
    return {**carried, **given}, own, function.function  # type: ignore[attr-defined]


def pipeline(name: str = "pipeline", **options: Any) -> Pipeline:
    """A pipeline to be filled with steps.

    Parameters
    ----------
    name : str
        Its jobs are called `<name>-<step>`.
    **options
        As in `submit`, for all steps that do not say otherwise.

    Returns
    -------
    Pipeline
        Shows itself as a graph with the state of each step.

    Examples
    --------
    >>> with nbbatch.pipeline("daily", queue="spot") as p:  # doctest: +SKIP
    ...     raw = p.step(load, "2026-01-01")
    ...     clean = p.step(tidy, raw, memory="8G")
    ...     report = p.step(summarise, clean)
    >>> p.results()["summarise"]  # doctest: +SKIP
    """
    return Pipeline(name, options)
