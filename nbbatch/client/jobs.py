"""Jobs as Future-like handles: submit one, wait for it, read it, find it again from anywhere.

A `Job` is an id and a backend; everything else is asked when it is needed, so a handle can be
pickled, dropped (the job goes on) and made again by `nbbatch.job(id)` in another process. The
gesture is that of `concurrent.futures.Future`; the errors say what Batch's FAILED hides.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self, overload

from nbbatch.client.arrays.indexes import (
    RETRY_BASE,
    bundle_of,
    environment_of,
    index_in_bundle,
    retry_environment,
)
from nbbatch.client.backend import get_backend
from nbbatch.client.bundle import Packed
from nbbatch.client.checks import check_text
from nbbatch.client.files.fetched import Fetched
from nbbatch.client.files.missing import missing_cure
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail, Outcome, error_of, exit_code, outcome, short_id
from nbbatch.client.handles.references import Reference
from nbbatch.client.handles.usage import attempt_in_bundle
from nbbatch.client.logs import LogReader, read_lines, streams_of
from nbbatch.client.logs import tail as last_lines
from nbbatch.client.moments import Moment, epoch_ms
from nbbatch.client.options import Options, split_options, suggestion
from nbbatch.client.packing.payloads import Call
from nbbatch.client.results import ItemResult, RemoteErrorInfo, Result, load_result
from nbbatch.client.spec import BUNDLE_VARIABLE, job_name, resubmission
from nbbatch.client.submission import pack_for, resolve, send, submit_again
from nbbatch.errors import JobError, OptionError, RemoteError, ResultLostError, UserError
from nbbatch.model.jobs import TERMINAL, split_child_id
from nbbatch.runner.report import LAST_VALUE

TAIL = 20
"""Lines of the log that an error carries."""


class Job(Handle):
    """A single job, one child of an array, a multi-node job (told by its main node) or one of its nodes.

    `Handle` has id, name, status, wait, cancel, terminate, why, cost and callbacks. A job can be
    awaited: `value = await job`.
    """

    def result(self, timeout: float | None = None) -> Any:
        """What the function returned, or the value of the cell's last expression.

        Files asked for by `fetch=` are brought first, from a failed job, too.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait; None waits as long as it takes.

        Raises
        ------
        TimeoutError
            The time was up; the job goes on.
        Exception
            What the function raised, as far as it can travel, with a RemoteError as its cause that
            shows the remote traceback.
        JobError
            What else ended the job, with its log tail and what to do.
        """
        error = self.exception(timeout)
        fetched = self.bring_files()
        if error is not None:
            raise error
        return self._value(fetched)

    def _value(self, _fetched: Fetched | None) -> Any:
        """Of a job that succeeded, whose files are here."""
        if not bundle_of(self.detail()):
            return None
        items = self.load().items
        return value_of(items[0], self.id) if items else None

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What `result` would raise, None for a job that succeeded; TimeoutError is raised."""
        error = self.error(timeout)
        if not isinstance(error, RemoteError):
            return error
        info = self.load().error
        return error if info is None or info.exception is None else _chained(info.exception, error)

    def error(self, timeout: float | None = None) -> JobError | None:
        """Why the job did not succeed, in nbbatch's own classes: RemoteError for what the code raised."""
        detail = self._wait_for_end(timeout)
        ended = outcome(detail)
        if ended is Outcome.SUCCEEDED:
            return None
        info = self._remote_error(detail) if ended is Outcome.EXITED else None
        if info is not None:
            return self._raised(info, detail)
        error = error_of(detail, log_tail=last_lines(self.backend, detail, TAIL))
        if shortage := self.backend.store.shortage():
            error.cure = f"{shortage} {error.cure}"
        return error

    def _raised(self, info: RemoteErrorInfo, detail: Detail) -> RemoteError:
        """The error of what its code raised."""
        failure = remote_error(info, self.id)
        failure.exit_code = exit_code(detail)
        return failure

    def _why_failed(self, detail: Detail) -> list[str]:
        """What its code raised, too."""
        error = self.error() if outcome(detail) is Outcome.EXITED else None
        if not isinstance(error, RemoteError):
            return super()._why_failed(detail)
        return [f"It raised {error.message.splitlines()[0]}", error.cure]

    def load(self, timeout: float | None = None) -> Result:
        """All that the job left: variables, rich outputs, files, use of the machine, its error.

        Raises
        ------
        ResultLostError
            The job left nothing that can be read, because it was stopped or had no bundle.
        """
        detail = self._wait_for_end(timeout)
        bundle_id = bundle_of(detail)
        if not bundle_id:
            raise ResultLostError(
                f"Job {self.name} runs a command of its own and brings no values back.",
                job_id=self.id,
                cure="Its log and exit code are all there is.",
            )
        index, attempt = attempt_in_bundle(detail)
        return load_result(self.backend.store, bundle_id, index=index, attempt=attempt)

    @overload
    def logs(
        self,
        follow: Literal[False] = False,  # noqa: FBT002 - logs(True) reads well
        *,
        tail: int | None = None,
        since: Moment | None = None,
    ) -> str: ...
    @overload
    def logs(
        self, follow: Literal[True], *, tail: int | None = None, since: Moment | None = None
    ) -> Iterator[str]: ...
    def logs(
        self,
        follow: bool = False,  # noqa: FBT001, FBT002
        *,
        tail: int | None = None,
        since: Moment | None = None,
    ) -> str | Iterator[str]:
        """The log of all attempts.

        Parameters
        ----------
        follow : bool
            Give an iterator of lines that waits for more until the job has ended.
        tail : int, optional
            Only the last so many, of the last attempt; with `follow`, of those that are there already.
        since : str, datetime or float, optional
            Only lines from then on: `"10m"` ago, a point in time, or epoch seconds.
        """
        start = None if since is None else epoch_ms(since)
        check_tail(tail)
        if follow:
            return self._follow(tail, start)
        detail, backend = self.detail(), self.backend
        if tail is not None and start is None:
            return Text(last_lines(backend, detail, tail))
        lines = read_lines(backend, detail, streams_of(detail), since=start)
        return Text("\n".join(lines if tail is None else lines[max(0, len(lines) - tail) :]))

    def reference(self, variable: str | None = None) -> Reference:
        """What stands for the job's value, or for a variable of its cell, as an argument of another job.

        Raises
        ------
        OptionError
            It runs a command of its own and has no value.
        """
        check_text("variable", variable, "the name of a variable of the job's cell")
        detail = self.detail()
        url = environment_of(detail).get(BUNDLE_VARIABLE)
        if not url:
            raise OptionError(
                f"Job {self.name} runs a command of its own and has no value to pass on.",
                cure="after=job waits for it without taking its value.",
            )
        variables = environment_of(detail)
        index = index_in_bundle(variables, split_child_id(self.id)[1]) or 0
        return self._refer(url, index, int(variables.get(RETRY_BASE, 0)), variable)

    def _refer(self, url: str, index: int, base: int, variable: str | None = None) -> Reference:
        return Reference(
            url=url,
            indexes=(index,),
            bases=(base,),
            place=0,
            variable=variable,
            job=short_id(self.id),
            job_id=self.id,
            backend=self.backend_name,
            name=self.name,
        )

    def retry(self, **options: Any) -> Self:
        """Submit the same again: code, inputs, resources, queue; a new job with an id of its own.

        Parameters
        ----------
        **options
            What shall be otherwise: `job.retry(memory="8G")`.

        Raises
        ------
        UserError
            When the job has not ended, or has several nodes.
        """
        detail = self.detail()
        if "nodeProperties" in detail or "nodeDetails" in detail:
            raise UserError(
                f"{self!r} is a multi-node job.", cure="Submit it again as it was submitted, by submit_job."
            )
        if detail["status"] not in TERMINAL:
            raise UserError(f"{self!r} has not ended.", cure="Wait for it, or terminate it first.")
        request = resubmission(detail, environment=retry_environment(detail), size=None)
        job_id = submit_again(self.backend, request, Options.parse(options))
        return self._another(job_id)

    def _another(self, job_id: str) -> Self:
        """A handle of this kind on another job of the same name."""
        return type(self)(job_id, backend=self.backend_name, name=self._name)

    def _follow(self, tail: int | None, since: int | None) -> Iterator[str]:
        with LogReader(self, since=since) as reader:
            yield from reader.follow(tail=tail)

    def _remote_error(self, detail: Detail) -> RemoteErrorInfo | None:
        """What the code itself raised; None when the process died otherwise or left nothing."""
        try:
            return self.load().error if bundle_of(detail) else None
        except ResultLostError:
            return None

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.id, self.backend_name, self._name)


def check_tail(tail: Any) -> None:
    """Refuse a number of lines that is none."""
    if tail is not None and (isinstance(tail, bool) or not isinstance(tail, int) or tail < 0):
        raise OptionError(f"tail does not understand {tail!r}.", cure="It takes a whole number of lines.")


class Text(str):
    """Text that a notebook shows as it is, without quotes and backslashes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _again(kind: type[Job], job_id: str, backend: str, name: str) -> Job:
    return kind(job_id, backend=backend, name=name)


def remote_error(info: RemoteErrorInfo, job_id: str, *, where: str = "") -> RemoteError:
    """The error of code that raised in a job; `where` says which item of an array it was."""
    error = RemoteError(
        f"{where}{info.type}: {info.message}" if info.message else f"{where}{info.type}",
        job_id=job_id,
        cure=missing_cure(info) or f"nbbatch.job({job_id!r}).logs() has its log.",
        remote_traceback=info.traceback,
        remote_trace=info.trace,
        remote_type=info.type,
    )
    error.add_note(info.traceback)
    return error


def value_of(item: ItemResult, job_id: str) -> Any:
    """The value of a function or cell; never a silent None for one that was lost on its way.

    Raises
    ------
    ResultLostError
        It could not travel; says why.
    """
    if LAST_VALUE in item.left_behind:
        raise lost_value(item.left_behind[LAST_VALUE], job_id)
    return item.value


def lost_value(why: str, job_id: str) -> ResultLostError:
    """The error of a value that could not come back."""
    return ResultLostError(
        f"The value could not come back: {why}.",
        job_id=job_id,
        cure="Return something that can be pickled here; .load() has the rest.",
    )


def _chained(exception: BaseException, cause: RemoteError) -> BaseException:
    """The exception as it was raised in the job, with its remote traceback as the cause."""
    exception.__cause__ = cause
    return exception


def submit(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Job:
    """Run `function(*args, **kwargs)` as a job.

    Parameters
    ----------
    function : callable
        Defined anywhere: in the notebook, in a local module, in an installed package.
    *args, **kwargs
        Its arguments. Keywords that are options (`queue`, `vcpus`, `memory`, `gpus`, `image`,
        `name`, `env`, `timeout`, `retries`, `tags`, `depends`, `priority`, `share`, `spot`,
        `definition`, `backend`) are taken as such; `nbbatch.batch` leaves all to the function.

    Returns
    -------
    Job
        At once; `result()` waits.

    Raises
    ------
    OptionError
        An option is malformed, or a keyword is neither an option nor a parameter of the function.

    Examples
    --------
    >>> job = nbbatch.submit(train, data, lr=0.1, vcpus=4, memory="8G")  # doctest: +SKIP
    >>> job.result()  # doctest: +SKIP
    """
    given, own = split_options(kwargs)
    return submit_call(function, args, own, given)


def submit_call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], given: Mapping[str, Any]
) -> Job:
    """Run a call as a job, its arguments and its options apart."""
    check_call(function, args, kwargs)
    options = resolve(given)
    packed = pack_for(Call(function=function, args=args, kwargs=kwargs), options)
    return submit_packed(packed, options, name=name_of(function))


def submit_packed(packed: Packed, options: Options, *, name: str = "job") -> Job:
    """Submit what `pack_for` made of a payload that is no array."""
    job_id = send(packed, options, name=name)
    job = Job(job_id, backend=options.backend or get_backend().name, name=options.name or name)
    job.note_cached(packed.bundle_id, is_asked=bool(options.cache))
    return job


def name_of(function: Callable[..., Any]) -> str:
    """A job name that resembles the function's."""
    return job_name(getattr(function, "__name__", type(function).__name__))


def check_function(function: object) -> None:
    """Refuse what cannot be called, such as the value of a call."""
    if not callable(function):
        raise OptionError(
            f"{function!r:.60} is no function.",
            cure="Give the function and its arguments apart: nbbatch.submit(f, x), not nbbatch.submit(f(x)).",
        )


def check_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse what is no function, and arguments that do not fit it, before anything is sent."""
    check_function(function)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # many functions written in C do not tell
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        strange = [name for name in kwargs if name not in signature.parameters]
        known = [*signature.parameters, *Options.__dataclass_fields__]
        hint = suggestion(strange[0], known) if strange else "Give what the function takes."
        raise OptionError(f"{name_of(function)} cannot be called like this: {error}.", cure=hint) from None


def job(id_or_name: str, *, backend: str | None = None) -> Any:
    """Handle of a job that was submitted anywhere, by anybody, at any time.

    Parameters
    ----------
    id_or_name : str
        The job's id, an array child's id, the first letters of an id, or a name: the newest job of it.
    backend : str, optional
        A configured backend; the default one otherwise.

    Returns
    -------
    Job or ArrayJob

    Raises
    ------
    UnknownNameError
        No job is meant, or more than one: several ids begin like this, or several jobs of that name
        have not ended.
    """
    from nbbatch.client.listing import find  # noqa: PLC0415 - listing and arrays stand above this module

    return find(id_or_name, backend=backend)
