"""From a payload and options to a job: pick interpreter, definition and store of the backend, send.

What the backend decides is decided here and nowhere else, so that cells, functions, notebooks and
scripts are packed and submitted alike.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from nbbatch.client.arrays.indexes import INDEXES, RETRY_BASE, environment_of
from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.bundle import Packed, pack
from nbbatch.client.cache import find_cached, remember
from nbbatch.client.capacity import check_fits, check_room, requirements_of
from nbbatch.client.config import load_config, over
from nbbatch.client.definitions import definition_for, forget_definition
from nbbatch.client.files.programs import check_program
from nbbatch.client.files.workdir import Files
from nbbatch.client.images.preflight import Preflight
from nbbatch.client.like import with_like
from nbbatch.client.options import FULL_ID, SEQUENTIAL, Options
from nbbatch.client.packing.digest import CONTENT_VARIABLE
from nbbatch.client.packing.payloads import Payload
from nbbatch.client.pipelines.dependencies import merged, with_dependencies
from nbbatch.client.spec import BUNDLE_VARIABLE, JobSpec, queue_of
from nbbatch.client.store import DryStore
from nbbatch.errors import BackendUnreachableError, ClientException

_NEWEST = 100
FIRST_CHILD_ONLY = {INDEXES: "0"}
"""Environment of an array of one, which AWS Batch runs as a plain job; see `nbbatch.client.arrays.array_jobs`."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """Nothing is sent for now: one only wants to see what would be; `chunk` items to a child, if said."""

    chunk: int | None = None


class _WeighedError(Exception):
    """Ends a submission where the job would have been sent; never seen outside `content_of`."""


weighing: ContextVar[Weighing | None] = ContextVar("weighing", default=None)
"""Set while `content_of` looks."""


def content_of(submit: Callable[[], object], *, chunk: int | None = None) -> str:
    """Digest of code and inputs of the job that `submit` would send; empty where it sends a bare command.

    Parameters
    ----------
    submit : callable
        Any function that submits a job; it is called, and goes as far as packing.
    chunk : int, optional
        Items per child, in place of what would be decided now.
    """
    token = weighing.set(Weighing(chunk))
    try:
        submit()
    except _WeighedError as end:
        return str(end)
    finally:
        weighing.reset(token)
    return ""


def resolve(given: Mapping[str, Any]) -> Options:
    """Read options as a person gives them, over the preset they name and the configured defaults.

    Raises
    ------
    OptionError
        When an option is unknown or malformed.
    UnknownNameError
        When there is no such backend or preset.
    """
    return complete(Options.parse(given))


def complete(options: Options) -> Options:
    """Options of a line or call, with what was configured where they say nothing."""
    options = _with_ids(with_like(options))
    return over(options, load_config().defaults(backend=options.backend, preset=options.preset))


def _with_ids(options: Options) -> Options:
    """The jobs to wait for by their full ids, where a name or the beginning of an id was given."""
    if all(one == SEQUENTIAL or FULL_ID.fullmatch(one) for one in options.depends):
        return options
    from nbbatch.client.listing import find  # noqa: PLC0415 - it stands above this module

    depends = tuple(
        one if one == SEQUENTIAL or FULL_ID.fullmatch(one) else find(one, backend=options.backend).id
        for one in options.depends
    )
    return replace(options, depends=depends)


def pack_for(
    payload: Payload,
    options: Options,
    *,
    namespace: Mapping[str, Any] | None = None,
    is_dry: bool = False,
    **limits: Any,
) -> Packed:
    """Pack a payload for the backend, image and Python that the options mean, if it has room there.

    Parameters
    ----------
    payload : Cell, Call or Command
        See `nbbatch.client.bundle`.
    options : Options
        With defaults, from `resolve`.
    namespace : mapping, optional
        The notebook's variables.
    is_dry : bool
        Only weigh it: nothing is kept, and it cannot be submitted.
    **limits
        Passed on to `bundle.pack`: `limit_bytes`, `ask_bytes` (the option `value_limit` without
        it), `local_modules`.

    Raises
    ------
    UnknownNameError, DoesNotFitError
        There is no such queue, or no host of it can ever give what is asked for. Nothing was packed.
    EnvironmentMismatchError
        The program of a script or command is not there.
    """
    backend = get_backend(options.backend)
    suited = backend.suited(options)
    check_fits(backend, suited)
    if options.value_limit is not None:
        limits.setdefault("ask_bytes", options.value_limit)
    is_same = backend.sees_this_python(options)
    if is_same:
        check_program(payload, options, backend)
    packed = pack(
        payload,
        DryStore() if is_dry or weighing.get() else backend.store,
        namespace=namespace,
        files=files_of(options),
        preflight=lambda provided: Preflight(backend, suited, provided=provided),
        python=sys.executable if is_same else "python3",
        is_same_environment=is_same,
        **limits,
    )
    packed.upstream.check(backend)
    return packed


def files_of(options: Options) -> Files:
    """What the options say of files sent along and brought back."""
    return Files(
        send=options.files or (),
        workdir=options.workdir or "",
        fetch=options.fetch or (),
        fetch_to=options.fetch_to or "",
    )


def send(packed: Packed, options: Options, *, name: str) -> str:
    """Submit a packed payload; returns the id that SubmitJob gave, or a cached job's.

    Raises
    ------
    ClientException
        When the service refuses, in its words.
    """
    if weighing.get():
        raise _WeighedError(packed.environment.get(CONTENT_VARIABLE, ""))
    if options.cache and (found := find_cached(packed, options)) is not None:
        get_backend(options.backend).store.delete(packed.bundle_id)
        return found
    size = packed.array_size
    variables = {**options.env, **packed.environment, **(FIRST_CHILD_ONLY if size == 1 else {})}
    spec = JobSpec(
        options=replace(options, depends=merged(options.depends, packed.upstream.ids())),
        name=options.name or name,
        command=packed.command,
        environment=variables,
        bundle=packed.url,
        size=size if size and size > 1 else None,
    )
    job_id = submit_spec(get_backend(options.backend), spec)
    if options.cache:
        remember(packed, options, job_id)
    return job_id


def submit_spec(backend: Backend, spec: JobSpec) -> str:
    """SubmitJob with the definition found or registered; returns the job's id.

    Raises
    ------
    UnknownNameError, DoesNotFitError
        As in `pack_for`: a command without a bundle has not come by there.
    OverBudgetError
        When it would cost more than its cap, or than is left of the day's budget.
    """
    if weighing.get():
        raise _WeighedError("")
    spec = replace(spec, options=backend.suited(spec.options))
    check_fits(backend, spec.options)
    _check_budget(backend, spec)
    spec = with_dependencies(backend, spec, submit_spec)
    if spec.options.definition:
        return _submit(backend, spec.submission(spec.options.definition))
    request = backend.definition_request(spec.options, has_bundle=bool(spec.bundle))
    try:
        return _submit(backend, spec.submission(definition_for(backend, request)))
    except ClientException as error:
        if "not in ACTIVE status" not in str(error):
            raise
        forget_definition(backend, request)
        return _submit(backend, spec.submission(definition_for(backend, request)))


def _check_budget(backend: Backend, spec: JobSpec) -> None:
    from nbbatch.client.money.budget import check_budget  # noqa: PLC0415 - it stands above this module

    check_budget(backend, spec)


def _submit(backend: Backend, request: Mapping[str, Any]) -> str:
    """SubmitJob, exactly once: AWS Batch knows no token by which it would recognise a repeated call."""
    try:
        with backend.errors():
            return str(backend.batch.submit_job(**request)["jobId"])
    except BackendUnreachableError:
        if not _mark(request["containerOverrides"]):
            raise
        accepted = _accepted(backend, request)
        if accepted is not None:
            return accepted
    with backend.errors():
        return str(backend.batch.submit_job(**request)["jobId"])


def _accepted(backend: Backend, request: Mapping[str, Any]) -> str | None:
    """Id of the job if the request had arrived and only its answer was lost.

    A bundle, with the base of a retry's attempts, is submitted once; that tells the job.
    """
    named = [{"name": "JOB_NAME", "values": [request["jobName"]]}]
    with backend.errors():
        page = backend.batch.list_jobs(jobQueue=request["jobQueue"], filters=named, maxResults=_NEWEST)
        ids = [one["jobId"] for one in page["jobSummaryList"]]
        details = backend.batch.describe_jobs(jobs=ids)["jobs"] if ids else []
    wanted = _mark(request["containerOverrides"])
    return next((one["jobId"] for one in details if _mark(one.get("container") or {}) == wanted), None)


def _mark(container: Mapping[str, Any]) -> dict[str, str]:
    """What tells one submission from every other; nothing where there is no bundle."""
    variables = environment_of({"container": container})
    marks = {name: variables[name] for name in (BUNDLE_VARIABLE, RETRY_BASE, INDEXES) if name in variables}
    return marks if BUNDLE_VARIABLE in marks else {}


def submit_again(backend: Backend, request: Mapping[str, Any], options: Options | None = None) -> str:
    """SubmitJob of a request made by `spec.resubmission`; returns the new job's id.

    Parameters
    ----------
    options : Options, optional
        What shall be otherwise than it was: these, without defaults.

    Raises
    ------
    UnknownNameError, DoesNotFitError
        As in `pack_for`: the queue may have changed since.
    """
    if options is not None:
        request = _otherwise(backend, request, options)
    check_room(backend, request["jobQueue"], requirements_of(request["containerOverrides"]))
    return _submit(backend, request)


def _otherwise(backend: Backend, request: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """The request with what the options say, and nothing else, in place of what it had."""
    suited = backend.suited(_kept(request, options))
    new = JobSpec(options=options, name=request["jobName"], command=(), environment=options.env).submission(
        ""
    )
    mine, theirs = request["containerOverrides"], new.pop("containerOverrides")
    overrides = {
        **mine,
        "environment": _by(mine, theirs, "environment", "name"),
        "resourceRequirements": _by(mine, theirs, "resourceRequirements", "type"),
    }
    changed = {
        **request,
        **new,
        "jobName": options.name or request["jobName"],
        "containerOverrides": overrides,
    }
    changed["tags"] = {**request.get("tags", {}), **new.get("tags", {})}
    changed["jobQueue"] = queue_of(suited)
    changed["jobDefinition"] = _definition_again(backend, request, suited if options.image else options)
    return changed


def _kept(request: Mapping[str, Any], options: Options) -> Options:
    """The options, with queue and definition of the request where they name no other."""
    queue = options.queue or (str(request["jobQueue"]) if options.spot is None else None)
    definition = options.definition or ("" if options.image else str(request["jobDefinition"]))
    return replace(options, queue=queue, definition=definition or None)


def _by(mine: Mapping[str, Any], theirs: Mapping[str, Any], part: str, key: str) -> list[dict[str, str]]:
    """A list of overrides in which theirs stand over mine of the same key."""
    return list({one[key]: one for one in [*mine.get(part, ()), *theirs.get(part, ())]}.values())


def _definition_again(backend: Backend, request: Mapping[str, Any], options: Options) -> str:
    """The definition that the options name or whose image they name, else that of the request."""
    if options.definition or not options.image:
        return options.definition or str(request["jobDefinition"])
    return definition_for(backend, backend.definition_request(options, has_bundle=True))
