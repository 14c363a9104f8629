"""A backend: where jobs run, as boto3 clients, a store for payloads, and answers about the place.

There are two kinds, a daemon of this machine (`local_backend.py`) and an AWS account
(`aws_backend.py`). Nobody else asks of which kind a backend is: whatever differs is a member of
`Backend`, and what only the daemon can know is a route of `private`, which on AWS has an answer of
its own or is refused with the reason.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from nbbatch.client.config import BackendConfig, home, load_config
from nbbatch.client.cures import cure_of
from nbbatch.client.options import Options
from nbbatch.client.store import Store
from nbbatch.errors import (
    AccessDeniedError,
    BackendError,
    BackendUnreachableError,
    ClientException,
    ConfigurationError,
    DaemonVersionError,
    NbbatchError,
    OptionError,
    ServerException,
)
from nbbatch.model.resources import Resources


@dataclass(frozen=True, slots=True)
class Machine:
    """The one machine behind a local backend.

    Parameters
    ----------
    resources : Resources
        What all jobs together can be given.
    room : Resources
        What of it is free for jobs to be placed on.
    executor : str
        What runs them: `docker` or `process`.
    path : str
        Where a job looks for programs that it names without a folder, unless its `env` has a PATH.
    """

    resources: Resources
    room: Resources
    executor: str
    path: str


class Standing(StrEnum):
    """Whether a backend answers as it stands, nothing being started."""

    READY = "ready"
    KILLED = "killed"
    STOPPED = "stopped"
    ABSENT = "absent"


class Backend(Protocol):
    """Where jobs run.

    Attributes
    ----------
    name : str
        As in the configuration.
    kind : str
        `local` or `aws`: to be shown, not to be asked for.
    region : str
        Of the ARNs and signatures.
    identity : str
        Tells it from others of the same name: what is remembered of a backend is kept by both.
    home : Path or None
        The local daemon's folder.
    store : Store
        Where payloads live.
    batch, logs : boto3 clients
        Of AWS Batch and CloudWatch Logs.
    tells_changes : bool
        Whether it says when a job or a log changed (`private("watch", ...)`); else one has to look.
    is_sampled : bool
        Whether its account of a job holds less than the job measured of itself.
    """

    name: str
    kind: str
    home: Path | None
    tells_changes: bool

    @property
    def region(self) -> str: ...  # noqa: D102 - see above
    @property
    def identity(self) -> str: ...  # noqa: D102
    @property
    def store(self) -> Store: ...  # noqa: D102
    @property
    def batch(self) -> Any: ...  # noqa: D102
    @property
    def logs(self) -> Any: ...  # noqa: D102
    @property
    def is_sampled(self) -> bool: ...  # noqa: D102

    def standing(self) -> Standing:
        """Whether it answers, looked at without starting anything; an account counts as ready."""

    def renew(self, *, start: bool) -> None:
        """Make sure that it answers, if that is in our hands; with `start` also after the user stopped it.

        Raises
        ------
        BackendUnreachableError
            When nothing answers and nothing may or can be started.
        """

    def private(self, route: str, body: Mapping[str, Any]) -> Any:
        """Ask what AWS Batch has no operation for: `why`, `accounts`, `events`, `costs`, ...

        Raises
        ------
        BackendUnreachableError
            When nothing answers.
        NotOnAwsError
            When only a local daemon can know it; says what to do instead.
        NbbatchError
            When it is refused.
        """

    def sign(self, route: str, body: Mapping[str, Any]) -> Any:
        """A signed HTTP request to such a route, for who sends it himself; where `tells_changes`."""

    def machine(self) -> Machine | None:
        """The one machine that runs its jobs; None where that are AWS's."""

    def sees_this_python(self, options: Options) -> bool:
        """Whether a job with these options runs in this machine's own Python environment."""

    def suited(self, options: Options) -> Options:
        """The options as the backend takes them, with the queue that they mean; refused where it cannot.

        Raises
        ------
        UserError
            Names the option and what to do.
        """

    def definition_request(self, options: Options, *, has_bundle: bool) -> dict[str, Any]:
        """RegisterJobDefinition's parameters for a job that names no definition.

        An image that runs its own program, without a bundle, runs it as its own user.
        """

    def errors(self) -> AbstractContextManager[None]:
        """Turn boto3's errors into nbbatch's."""


_backends: dict[tuple[BackendConfig, str], Backend] = {}
_lock = threading.Lock()
_is_hurried: ContextVar[bool] = ContextVar("is_hurried", default=False)


@contextmanager
def hurried() -> Iterator[None]:
    """In here somebody looks who asks again anyway: an account that does not answer is told of within seconds."""
    token = _is_hurried.set(True)
    try:
        yield
    finally:
        _is_hurried.reset(token)


def is_hurried() -> bool:
    """Whether what is asked now is asked `hurried`."""
    return _is_hurried.get()


def get_backend(name: str | None = None, *, start: bool = True) -> Backend:
    """A backend by its name in the configuration; one object per process.

    Parameters
    ----------
    name : str, optional
        The configured default without one.
    start : bool
        Whether a daemon that the user stopped is started again.

    Raises
    ------
    UnknownNameError
        When the configuration has none of that name.
    BackendUnreachableError
        When its daemon does not come up.
    """
    backend = find_backend(name)
    backend.renew(start=start)
    return backend


def find_backend(name: str | None = None) -> Backend:
    """The same, and nothing is asked of it or started.

    Raises
    ------
    UnknownNameError
        When the configuration has none of that name.
    """
    settings = load_config().find_backend(name)
    folder = Path(settings.home).expanduser().resolve() if settings.home else home()
    with _lock:
        backend = _backends.get((settings, str(folder)))
        if backend is None:
            backend = _backends[settings, str(folder)] = _make(settings, folder)
    return backend


def boto3_client(service: str = "batch", *, backend: str | None = None) -> Any:
    """A plain boto3 client of a backend, for what is made once: environments, queues, definitions.

    Parameters
    ----------
    service : str
        `"batch"`, or `"logs"` for CloudWatch Logs.
    backend : str, optional
        A configured backend; the default one otherwise.

    Returns
    -------
    boto3 client
        Its address and key are the backend's; its errors are boto3's own.

    Raises
    ------
    OptionError
        Of another service.

    Examples
    --------
    >>> nbbatch.boto3_client().describe_compute_environments()  # doctest: +SKIP
    """
    match service:
        case "batch":
            return get_backend(backend).batch
        case "logs":
            return get_backend(backend).logs
    raise OptionError(
        f"{service!r} is no service of a backend.",
        cure='There are "batch" and "logs"; of other services of AWS use boto3.client.',
    )


def _make(settings: BackendConfig, folder: Path) -> Backend:
    """The two kinds stand above this module, and each imports what only it needs."""
    if settings.kind == "aws":
        from nbbatch.client.aws.backend import AwsBackend  # noqa: PLC0415

        return AwsBackend(settings)
    from nbbatch.client.local_backend import LocalBackend  # noqa: PLC0415

    return LocalBackend(settings.name, folder)


def _forget() -> None:
    """A forked process makes its own connections, and its own lock: no thread is left to free that one."""
    global _lock  # noqa: PLW0603 - the only other way is a lock inside an object that is there once
    _lock = threading.Lock()
    _backends.clear()


os.register_at_fork(after_in_child=_forget)


@contextmanager
def translated() -> Iterator[None]:
    """Turn boto3's errors into nbbatch's."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - boto3 is slow to import

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise translate(error) from error


def translate(error: Exception) -> NbbatchError:
    """The one place where boto3's errors become nbbatch's."""
    from botocore import exceptions  # noqa: PLC0415 - boto3 is slow to import

    match error:
        case exceptions.ClientError():
            told = error.response.get("Error", {})
            return of_code(str(told.get("Code", "")), str(told.get("Message", error)))
        case exceptions.ParamValidationError():
            return ClientException(str(error), cure=cure_of(str(error)))
        case (
            exceptions.NoCredentialsError()
            | exceptions.PartialCredentialsError()
            | exceptions.CredentialRetrievalError()
            | exceptions.TokenRetrievalError()
            | exceptions.UnauthorizedSSOTokenError()
            | exceptions.SSOTokenLoadError()
        ):
            return AccessDeniedError(str(error), cure=_SIGN_IN)
        case exceptions.ProfileNotFound() | exceptions.NoRegionError():
            return ConfigurationError(str(error), cure=_SETTING)
        case exceptions.ConnectionError() | exceptions.HTTPClientError():
            return BackendUnreachableError(_unanswered(error), cure=_NO_ANSWER)
        case _:
            return BackendError(str(error))


def _unanswered(error: Any) -> str:
    """Who did not answer, of botocore's errors; those that waited name a whole URL."""
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError  # noqa: PLC0415 - as above

    asked = urlsplit(str(error.kwargs.get("endpoint_url", "")))
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError) and asked.netloc:
        return f"{asked.scheme}://{asked.netloc} does not answer."
    return f"The backend does not answer: {error}"


_NO_ANSWER = "Is there a network, and does its service run? `nbbatch doctor` tells more."
_SIGN_IN = "Sign in (`aws sso login`, `aws configure`), or name a profile in the backend's settings."
_SETTING = "Name region and profile in the backend's settings; `aws configure list-profiles` lists profiles."
THROTTLED = ("TooManyRequestsException", "Throttling", "ThrottlingException", "RequestLimitExceeded")
"""Codes by which AWS says that it was asked too often; nothing was done then."""
NEVER_REPEATED = frozenset(
    {"SubmitJob", "RegisterJobDefinition", "CreateComputeEnvironment", "CreateJobQueue"}
)
"""Operations that would count twice if their answer, not their request, was lost."""
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId")


def of_code(code: str, message: str) -> NbbatchError:
    """The error for one of the services' codes, with the service's message."""
    match code:
        case "ClientException" | "ResourceNotFoundException" | "InvalidParameterException":
            return ClientException(message, cure=cure_of(message))
        case "ServerException" | "ServiceUnavailableException":
            return ServerException(message)
        case "UnknownOperationException":
            return DaemonVersionError(
                message, cure="`nbbatch local stop`, then again: a daemon of this version comes."
            )
        case _ if code in THROTTLED:
            return BackendError(f"{code}: {message}", cure="Too much is asked at once; try again in a while.")
        case _ if code in _EXPIRED:
            return AccessDeniedError(f"{code}: {message}", cure=_SIGN_IN)
        case _:
            return AccessDeniedError(f"{code}: {message}")
